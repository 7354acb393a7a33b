import { join } from 'node:path';
import type { TeletrainError } from '../../shared/errors.ts';
import type { System } from '../../shared/system.ts';
import { diskError } from './disk-errors.ts';
import { checkpointAtHome } from './download-checkpoint.ts';
import { CheckpointDownloads } from './downloads.ts';
import { offlineError, unknownCheckpoint } from './errors.ts';
import type { RunFold } from './run-view.ts';
import { writeMissingSamples, writeSample } from './sample-images.ts';
import type { Sample } from './types.ts';
import { unlessAborted } from './unless-aborted.ts';
import type { WorkerLink } from './worker-link.ts';

export interface RunFilesOptions {
  readonly fold: RunFold;
  /** The worker that has the checkpoints, where one is followed. */
  readonly link: () => WorkerLink | undefined;
  readonly onChange: () => void;
  /** The disk took a picture no more. */
  readonly onFailure: (error: TeletrainError) => void;
  readonly system: System;
}

/** What lies in a run's folder at home beside its journal: pictures of samples, and checkpoints. */
export class RunFiles {
  readonly #options: RunFilesOptions;
  readonly #folder: string;
  readonly #downloads: CheckpointDownloads;
  #samples: Promise<void> = Promise.resolve();

  constructor(options: RunFilesOptions) {
    this.#options = options;
    const { fold, link, onChange, system } = options;
    this.#folder = `${fold.directory}/checkpoints`;
    this.#downloads = new CheckpointDownloads({
      run: fold.record.id,
      folder: this.#folder,
      link,
      onChange: (id, home) => {
        fold.setCheckpoint(id, { home });
        onChange();
      },
      onIdle: onChange,
      system,
    });
  }

  /** Nothing is on its way here. */
  get isIdle(): boolean {
    return this.#downloads.isIdle;
  }

  /** Finds out which checkpoints are at home, and mends what an earlier program left undone. */
  async look(): Promise<void> {
    const { fold, system, onChange } = this.#options;
    // A disk that cannot be written to can still be read from.
    await writeMissingSamples(fold.directory, fold.samples, system).catch(() => {});
    for (const { id, removedOnWorker } of [...fold.checkpoints]) {
      const hash = fold.manifestHashes.get(id) ?? '';
      const directory = await checkpointAtHome(this.#folder, id, hash, system);
      if (directory) fold.setCheckpoint(id, { home: { state: 'verified', directory } });
      else if (removedOnWorker) {
        // The rest of it is nowhere to be had.
        const partial = join(this.#folder, `${id}.partial`);
        await system.disk.rm(partial, { recursive: true, force: true }).catch(() => {});
      }
    }
    onChange();
  }

  keepSample(sample: Sample): void {
    const { fold, system, onFailure } = this.#options;
    this.#samples = this.#samples
      .then(() => writeSample(fold.directory, sample, system))
      .catch((error: unknown) => onFailure(diskError('A sample picture', error)));
  }

  wantCheckpoint(id: string): void {
    const { fold } = this.#options;
    const checkpoint = fold.checkpoints.find((other) => other.id === id);
    const manifestSha256 = fold.manifestHashes.get(id);
    if (!checkpoint || checkpoint.removedOnWorker || manifestSha256 === undefined) return;
    if (checkpoint.home.state === 'verified') return;
    // What becomes of it is in the view; `want` itself sees to a rejection that nobody waits for.
    void this.#downloads.want({ id, manifestSha256 });
  }

  wantMissingCheckpoints(): void {
    for (const { id, home } of this.#options.fold.checkpoints) {
      if (home.state === 'absent' || home.state === 'failed') this.wantCheckpoint(id);
    }
  }

  /** See RunHandle.download. After an abort the download itself goes on: the run wants it too. */
  async download(id: string, signal?: AbortSignal): Promise<string> {
    const { fold, link } = this.#options;
    const checkpoint = fold.checkpoints.find((other) => other.id === id);
    const manifestSha256 = fold.manifestHashes.get(id);
    if (!checkpoint || manifestSha256 === undefined) throw unknownCheckpoint(id);
    if (checkpoint.home.state === 'verified') return checkpoint.home.directory;
    if (!link()) throw offlineError('the checkpoint is not at home');
    return unlessAborted(this.#downloads.want({ id, manifestSha256 }), 'The download', signal);
  }

  /** The worker is let go of; what is half here waits for the next one. */
  interrupt(): void {
    this.#downloads.interrupt();
  }

  /** Every picture so far is on disk, or its failure was told. */
  async samplesWritten(): Promise<void> {
    await this.#samples;
  }

  async close(): Promise<void> {
    await this.#downloads.close();
    await this.#samples;
  }
}
