import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { TeletrainError } from '../../shared/errors.ts';
import { pinOf } from '../../shared/pin.ts';
import { isSystemError, writeFileDurably } from './durable-file.ts';
import { makeSelfSigned, type SelfSigned } from './self-signed.ts';

/** Paths of PEM files. */
export interface TlsFiles {
  /** With its chain. */
  readonly certificate: string;
  readonly key: string;
}

/** How a worker speaks TLS: not at all, by a certificate of its own making or by the user's. */
export type TlsWay =
  | { readonly kind: 'off' }
  | { readonly kind: 'self-signed' }
  | ({ readonly kind: 'files' } & TlsFiles);

/** Both are PEM. */
export interface TlsIdentity extends SelfSigned {
  /** By which clients know the key (shared/pin.ts). */
  readonly pin: string;
  /** When the certificate ends, in ms since 1970. */
  readonly validTo: number;
}

/** Holds the key, and the certificate for it. */
const ownFile = 'tls.pem';

/**
 * The key and the certificate that a worker shows; one of its own making is made at its first start
 * and kept in its home, readable by its owner only.
 * @throws TeletrainError `tls-unreadable`, `bad-certificate`.
 */
export async function tlsIdentity(
  way: Exclude<TlsWay, { kind: 'off' }>,
  worker: { readonly home: string; readonly name: string; readonly host: string },
): Promise<TlsIdentity> {
  if (way.kind === 'files') return await usersIdentity(way);
  return identityOf(await ownPair(worker), {
    files: `What ${join(worker.home, ownFile)} holds is`,
    hint: 'Remove the file; clients then pair anew, since the worker has another pin.',
  });
}

/**
 * The user's certificate and key, as they are on disk now.
 * @throws TeletrainError `tls-unreadable`, `bad-certificate`.
 */
export async function usersIdentity(files: TlsFiles): Promise<TlsIdentity> {
  return identityOf(await usersPair(files), {
    files: `${files.certificate} and ${files.key} are`,
    hint: 'Give the whole chain as PEM to --tls-cert, and its key, without a password, to --tls-key.',
  });
}

function identityOf(pair: SelfSigned, told: { files: string; hint: string }): TlsIdentity {
  const { files, hint } = told;
  try {
    createSecureContext({ cert: pair.certificate, key: pair.key });
    const { publicKey, validTo } = new X509Certificate(pair.certificate);
    return { ...pair, pin: pinOf(publicKey), validTo: Date.parse(validTo) };
  } catch (cause) {
    throw new TeletrainError('bad-certificate', `${files} no certificate and its key.`, {
      hint,
      cause,
    });
  }
}

async function usersPair(way: TlsFiles): Promise<SelfSigned> {
  const read = async (path: string, option: string): Promise<string> => {
    try {
      return await readFile(path, 'utf8');
    } catch (cause) {
      throw new TeletrainError('tls-unreadable', `The file ${path} cannot be read.`, {
        hint: `Give the path of a PEM file to ${option}.`,
        cause,
      });
    }
  };
  return {
    certificate: await read(way.certificate, '--tls-cert'),
    key: await read(way.key, '--tls-key'),
  };
}

async function ownPair(worker: {
  readonly home: string;
  readonly name: string;
  readonly host: string;
}): Promise<SelfSigned> {
  const path = join(worker.home, ownFile);
  try {
    const text = await readFile(path, 'utf8');
    return { key: part(text, 'PRIVATE KEY'), certificate: part(text, 'CERTIFICATE') };
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) {
      throw new TeletrainError('tls-unreadable', `The file ${path} cannot be read.`, {
        hint: 'See who may read it; if it is removed, clients have to pair anew.',
        cause: error,
      });
    }
  }
  const made = makeSelfSigned(worker.name, hostsOf(worker.host), Date.now());
  await writeFileDurably(path, `${made.key}${made.certificate}`);
  return made;
}

function part(text: string, label: string): string {
  const [block = ''] =
    new RegExp(`-----BEGIN ${label}-----[^]*?-----END ${label}-----\n`).exec(text) ?? [];
  return block;
}

/** Everything by which this machine may be reached, as far as it knows. */
function hostsOf(host: string): string[] {
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const addresses = own.map(({ address }) => address.replace(/%.*$/, ''));
  const names = [host, hostname(), 'localhost'].filter((name) => /^[\x21-\x7e]+$/.test(name));
  return [...new Set([...names, ...addresses])];
}

/**
 * The address to tell others of a worker that listens on every one: an outer one of this machine's.
 * @param host where it listens.
 */
export function reachableHost(host: string): string {
  if (host !== '0.0.0.0' && host !== '::') return host;
  const outer = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal, family }) => !internal && family === 'IPv4');
  return outer?.address ?? hostname();
}
