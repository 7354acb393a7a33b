import { type Clock, every, systemClock } from '../../shared/clock.ts';
import { TeletrainError } from '../../shared/errors.ts';
import { type TlsFiles, type TlsIdentity, usersIdentity } from './tls.ts';

/** Between two looks at the files, in ms: a certificate is renewed weeks before its end. */
const lookMs = 2_000;

export interface CertificateWatchOptions {
  readonly files: TlsFiles;
  /** What the worker shows now. */
  readonly shown: TlsIdentity;
  /** The files hold another certificate, whole and with its key. */
  readonly onRenewed: (identity: TlsIdentity, before: TlsIdentity) => void;
  /** They hold something that cannot be shown, or cannot be read; said once, until that changes. */
  readonly onBroken: (reason: TeletrainError) => void;
  readonly onFault: (what: string, error: unknown) => void;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/** What was found, and by what it is told from what was found before. */
type Found = { readonly mark: string } & (
  | { readonly identity: TlsIdentity }
  | { readonly reason: TeletrainError }
);

/**
 * Looks at the user's certificate and key again and again, since whoever renews them tells nobody.
 * What is found counts when the next look finds it again: two files are not written at once.
 */
export class CertificateWatch {
  readonly #options: CertificateWatchOptions;
  readonly #stop: () => void;
  #shown: TlsIdentity;
  /** Of what was told to be broken last. */
  #brokenMark: string | undefined;
  #lastMark: string;
  #isLooking = false;

  constructor(options: CertificateWatchOptions) {
    this.#options = options;
    this.#shown = options.shown;
    this.#lastMark = markOf(options.shown);
    this.#stop = every(options.clock ?? systemClock, lookMs, () => void this.look());
  }

  stop(): void {
    this.#stop();
  }

  /** Never throws; one look at a time. */
  async look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      this.#judge(await read(this.#options.files));
    } catch (error) {
      this.#options.onFault('reading the certificate', error);
    } finally {
      this.#isLooking = false;
    }
  }

  #judge(found: Found): void {
    const { mark } = found;
    const isStable = mark === this.#lastMark;
    const isShown = mark === markOf(this.#shown);
    this.#lastMark = mark;
    if (isShown) this.#brokenMark = undefined;
    if (!isStable || isShown || mark === this.#brokenMark) return;
    if ('identity' in found) {
      this.#options.onRenewed(found.identity, this.#shown);
      this.#shown = found.identity;
      this.#brokenMark = undefined;
    } else {
      this.#options.onBroken(found.reason);
      this.#brokenMark = mark;
    }
  }
}

async function read(files: TlsFiles): Promise<Found> {
  try {
    const identity = await usersIdentity(files);
    return { mark: markOf(identity), identity };
  } catch (reason) {
    if (!(reason instanceof TeletrainError)) throw reason;
    return { mark: `${reason.code}: ${reason.message}`, reason };
  }
}

const markOf = ({ certificate, key }: TlsIdentity): string => `${certificate}${key}`;
