import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TeletrainError } from '../../shared/errors.ts';
import { limits } from '../../shared/limits.ts';
import type { Manifest } from '../../shared/run.ts';
import { sha256 } from './download-checkpoint.ts';
import { cancelled } from './errors.ts';
import type { RunSession } from './run-session.ts';
import { noCheckpoint, type RunStore } from './run-store.ts';
import type { SetupProgress } from './types.ts';
import type { WorkerLink } from './worker-link.ts';

/** An upload waits for this long for a worker that went away in the middle of it. */
const uploadPatienceMs = 60_000;

export interface ImportOptions {
  readonly link: Pick<WorkerLink, 'request'>;
  readonly session: RunSession;
  readonly store: RunStore;
  readonly onProgress?: ((progress: SetupProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Brings a run to a worker that never saw it: what it is, where its numbering goes on, and the last
 * checkpoint that is whole at home. Broken off, it goes on from what the worker has received.
 * @throws TeletrainError `no-checkpoint`, `checkpoint-corrupt`, what the worker answers, `worker-lost`.
 */
export async function importRun({
  link,
  session,
  store,
  onProgress,
  signal,
}: ImportOptions): Promise<void> {
  const { view, id: run } = session;
  const { manifest, directory } = await lastCheckpoint(session, store);
  await verify(manifest, directory, onProgress, signal);
  const request = { patienceMs: uploadPatienceMs, ...(signal ? { signal } : {}) };
  const { epochs, patience } = view;
  const changed = { ...(epochs > 0 ? { epochs } : {}), patience };
  const nextSeq = view.lastSeq + 1;
  await link.request(
    'run.import',
    { record: view.record, nextSeq, checkpoint: manifest, changed },
    request,
  );
  const manifestBytes = await readFile(join(directory, 'manifest.json'));
  const files = [...manifest.files, { name: 'manifest.json', bytes: manifestBytes.length }];
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  let before = 0;
  for (const file of files) {
    const target = { run, checkpoint: manifest.id, file: file.name };
    await uploadFile(join(directory, file.name), file.bytes, target, link, request, (sent) => {
      onProgress?.({ message: `uploading checkpoint ${manifest.id}`, done: before + sent, total });
    });
    before += file.bytes;
  }
  const manifestSha256 = sha256(manifestBytes);
  await link.request(
    'checkpoint.commit',
    { run, checkpoint: manifest.id, manifestSha256 },
    request,
  );
}

/** Of those that the run did not go back behind. */
async function lastCheckpoint(
  session: RunSession,
  store: RunStore,
): Promise<{ manifest: Manifest; directory: string }> {
  const home = session.view.checkpoints.flatMap(({ id, home }) =>
    home.state === 'verified' ? [id] : [],
  );
  const found = await store.checkpoints(session.id);
  const last = found.findLast(({ manifest }) => home.includes(manifest.id));
  if (!last) throw noCheckpoint(session.id);
  return last;
}

/** A copy may have rotted since it came home, and a damaged one would end a run far away. */
async function verify(
  manifest: Manifest,
  directory: string,
  onProgress: ImportOptions['onProgress'],
  signal: AbortSignal | undefined,
): Promise<void> {
  onProgress?.({ message: `checking checkpoint ${manifest.id}` });
  for (const file of manifest.files) {
    if (signal?.aborted) throw cancelled('The upload', signal);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(join(directory, file.name))) hash.update(chunk);
    if (hash.digest('hex') === file.sha256) continue;
    throw new TeletrainError(
      'checkpoint-corrupt',
      `The file ${file.name} of checkpoint ${manifest.id} at home is damaged.`,
      {
        hint: `Move the folder ${directory} away, and resume from the checkpoint before it.`,
      },
    );
  }
}

async function uploadFile(
  path: string,
  bytes: number,
  target: { run: string; checkpoint: string; file: string },
  link: ImportOptions['link'],
  request: { patienceMs: number; signal?: AbortSignal },
  onSent: (bytes: number) => void,
): Promise<void> {
  await using file = await open(path, 'r');
  const ask = async (offset: number, payload: Uint8Array): Promise<number> =>
    (await link.request('file.write', { ...target, offset }, { ...request, payload })).result
      .received;
  let received = await ask(0, new Uint8Array(0));
  const chunk = Buffer.allocUnsafe(limits.chunkBytes);
  while (received < bytes) {
    onSent(received);
    const { bytesRead } = await file.read(
      chunk,
      0,
      Math.min(chunk.length, bytes - received),
      received,
    );
    // A copy: the request may be sent again after the buffer holds the next part.
    const payload = Buffer.from(chunk.subarray(0, bytesRead));
    try {
      received = await ask(received, payload);
    } catch (error) {
      if (!(error instanceof TeletrainError) || error.code !== 'wrong-offset') throw error;
      // Sent twice over a broken connection: the first one had arrived.
      received = await ask(received, new Uint8Array(0));
    }
  }
  onSent(received);
}
