import { createHash } from 'node:crypto';
import { TeletrainError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import type { OpenFile, System } from '../../shared/system.ts';

/** Requests kept in flight: at 100 ms of round trip they carry 10 MB/s, and never hold a ping up for long. */
const window = 4;

export interface FileDownload {
  /** Where it grows; what is there already is not fetched again. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Asks for bytes of the file; fewer come only at its end. */
  readonly read: (offset: number, length: number, signal: AbortSignal) => Promise<Uint8Array>;
  readonly onReceived: (bytes: number) => void;
  readonly signal: AbortSignal;
  readonly system: System;
}

/**
 * Brings one file home from the byte where an earlier attempt broke off, and checks it.
 *
 * What lies there already is taken as it is, since the hash of the whole file judges it too. Where
 * that hash is wrong and a part was of an earlier attempt, the file is fetched once more from its
 * first byte; a file that came in one piece and is wrong is wrong at the worker or on the way.
 * @throws TeletrainError `checkpoint-corrupt`, what `read` throws.
 */
export async function downloadFile(download: FileDownload): Promise<void> {
  await using file = await openForWriting(download.path, download.system);
  const { size } = await file.stat();
  const resumedAt = size <= download.bytes ? size : 0;
  if (size > download.bytes) await file.truncate(0);
  if (await fetchAndHash(file, download, resumedAt)) return;
  await file.truncate(0);
  if (resumedAt > 0 && (await fetchAndHash(file, download, 0))) return;
  await file.truncate(0);
  throw new TeletrainError(
    'checkpoint-corrupt',
    'A checkpoint file arrived with another SHA-256 than its manifest gives.',
    {
      hint: 'Fetch it again: teletrain checkpoints get <run>; if it stays so, the copy on the worker is damaged and an earlier checkpoint must serve.',
    },
  );
}

async function openForWriting(path: string, { disk }: System): Promise<OpenFile> {
  // 'a+' makes the file where there is none but cannot write at a place; 'r+' is the other way round.
  await (await disk.open(path, 'a', 0o600)).close();
  return disk.open(path, 'r+');
}

/** @returns whether the file is whole and right, and then it is on disk. */
async function fetchAndHash(
  file: OpenFile,
  { bytes, sha256, read, onReceived, signal }: FileDownload,
  from: number,
): Promise<boolean> {
  const hash = createHash('sha256');
  await hashBeginning(file, from, hash);
  onReceived(from);
  const ending = new AbortController();
  const either = AbortSignal.any([signal, ending.signal]);
  const inFlight: { offset: number; length: number; chunk: Promise<Uint8Array> }[] = [];
  let asked = from;
  let received = from;
  try {
    while (received < bytes) {
      while (inFlight.length < window && asked < bytes) {
        const length = Math.min(limits.chunkBytes, bytes - asked);
        const chunk = read(asked, length, either);
        // Where an earlier chunk fails, nobody waits for this one any more.
        chunk.catch(() => {});
        inFlight.push({ offset: asked, length, chunk });
        asked += length;
      }
      const next = inFlight.shift();
      if (!next) break;
      const chunk = await next.chunk;
      if (chunk.length !== next.length) return false;
      await writeAll(file, chunk, next.offset);
      hash.update(chunk);
      received += chunk.length;
      onReceived(received);
    }
  } finally {
    ending.abort();
  }
  if (hash.digest('hex') !== sha256) return false;
  await file.sync();
  return true;
}

async function writeAll(file: OpenFile, bytes: Uint8Array, offset: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const length = bytes.length - written;
    written += (await file.write(bytes, written, length, offset + written)).bytesWritten;
  }
}

async function hashBeginning(
  file: OpenFile,
  bytes: number,
  hash: ReturnType<typeof createHash>,
): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(bytes, limits.chunkBytes));
  for (let at = 0; at < bytes; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, bytes - at), at);
    if (bytesRead === 0) return;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
}
