import { join } from 'node:path';
import { TeletrainError } from '../../shared/errors.ts';
import { hashOfFile } from '../../shared/file-hash.ts';
import { limits } from '../../shared/limits.ts';
import { type History, lifeOf } from '../../shared/lives.ts';
import type { Manifest } from '../../shared/run.ts';
import type { OpenFile, System } from '../../shared/system.ts';
import { sha256 } from './download-checkpoint.ts';
import { cancelled } from './errors.ts';
import type { RunLimits } from './run-done.ts';
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
  readonly system: System;
  /** What the worker has of the run, which is moved aside there. */
  readonly replaces?: History | undefined;
  /** Limits that hold from now on. */
  readonly changes?: RunLimits | undefined;
  readonly onProgress?: ((progress: SetupProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Copy {
  readonly manifest: Manifest;
  readonly directory: string;
}

interface Target {
  readonly run: string;
  readonly link: ImportOptions['link'];
  readonly system: System;
  readonly request: { readonly patienceMs: number; readonly signal?: AbortSignal };
}

/**
 * Brings a run to a worker that lacks it or a part of it: what it is, where its numbering goes on,
 * the last checkpoint that is whole at home and, where that is another one, the best. Broken off, it
 * goes on from what the worker has received.
 * @throws TeletrainError `no-checkpoint`, `checkpoint-corrupt`, what the worker answers, `worker-lost`.
 */
export async function importRun(options: ImportOptions): Promise<void> {
  const { link, session, store, system, replaces, changes, onProgress, signal } = options;
  const { view, history, id: run } = session;
  const { last, best } = await copiesAtHome(session, store);
  await verify(last, system, onProgress, signal);
  const soundBest = best && (await isSound(best, system, onProgress, signal)) ? best : undefined;
  const request = { patienceMs: uploadPatienceMs, ...(signal ? { signal } : {}) };
  const { epochs, patience } = { epochs: view.epochs, patience: view.patience, ...changes };
  await link.request(
    'run.import',
    {
      record: view.record,
      nextSeq: history.lastSeq + 1,
      lives: [...history.lives],
      checkpoint: last.manifest,
      ...(soundBest ? { best: soundBest.manifest } : {}),
      changed: { ...(epochs > 0 ? { epochs } : {}), patience },
      ...(replaces ? { replaces: lastEventOf(replaces) } : {}),
    },
    request,
  );
  const { checkpoints } = (await link.request('checkpoint.list', { run }, request)).result;
  const arrived = new Set(checkpoints.map(({ id }) => id));
  // What the run goes on from comes last: with it, everything is there.
  const wanted = [...(soundBest ? [soundBest] : []), last];
  for (const copy of wanted.filter(({ manifest }) => !arrived.has(manifest.id))) {
    await upload(copy, { run, link, system, request }, onProgress);
  }
}

async function upload(
  { manifest, directory }: Copy,
  { run, link, system, request }: Target,
  onProgress: ImportOptions['onProgress'],
): Promise<void> {
  const checkpoint = manifest.id;
  const manifestBytes = await system.disk.readFile(join(directory, 'manifest.json'));
  const files = [...manifest.files, { name: 'manifest.json', bytes: manifestBytes.length }];
  const total = files.reduce((sum, file) => sum + file.bytes, 0);
  let before = 0;
  for (const file of files) {
    const target = { run, checkpoint, file: file.name };
    await using source = await system.disk.open(join(directory, file.name), 'r');
    await uploadFile(source, file.bytes, target, link, request, (sent) => {
      onProgress?.({ message: `uploading checkpoint ${checkpoint}`, done: before + sent, total });
    });
    before += file.bytes;
  }
  const manifestSha256 = sha256(manifestBytes);
  await link.request('checkpoint.commit', { run, checkpoint, manifestSha256 }, request);
}

function lastEventOf(history: History): { life?: string; lastSeq: number } {
  const life = lifeOf(history, history.lastSeq);
  return { ...(life === undefined ? {} : { life }), lastSeq: history.lastSeq };
}

/** Of those that the run did not go back behind. @throws TeletrainError `no-checkpoint`. */
async function copiesAtHome(
  session: RunSession,
  store: RunStore,
): Promise<{ last: Copy; best: Copy | undefined }> {
  const home = session.view.checkpoints.filter(({ home }) => home.state === 'verified');
  const found = await store.checkpoints(session.id);
  const copyOf = (id: string | undefined) => found.find(({ manifest }) => manifest.id === id);
  const last = copyOf(home.at(-1)?.id);
  if (!last) throw noCheckpoint(session.id);
  const best = copyOf(home.find((checkpoint) => checkpoint.best)?.id);
  return { last, best: best === last ? undefined : best };
}

/** Without its best checkpoint a run can go on: it then says that those weights are not tested. */
async function isSound(
  copy: Copy,
  system: System,
  onProgress: ImportOptions['onProgress'],
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    await verify(copy, system, onProgress, signal);
    return true;
  } catch (error) {
    if (!(error instanceof TeletrainError) || error.code !== 'checkpoint-corrupt') throw error;
    onProgress?.({ message: `${error.message} The run goes on without its best checkpoint.` });
    return false;
  }
}

/** A copy may have rotted since it came home, and a damaged one would end a run far away. */
async function verify(
  { manifest, directory }: Copy,
  system: System,
  onProgress: ImportOptions['onProgress'],
  signal: AbortSignal | undefined,
): Promise<void> {
  onProgress?.({ message: `checking checkpoint ${manifest.id}` });
  for (const file of manifest.files) {
    if (signal?.aborted) throw cancelled('The upload', signal);
    if ((await hashOfFile(join(directory, file.name), system)) === file.sha256) continue;
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
  file: OpenFile,
  bytes: number,
  target: { run: string; checkpoint: string; file: string },
  link: ImportOptions['link'],
  request: { patienceMs: number; signal?: AbortSignal },
  onSent: (bytes: number) => void,
): Promise<void> {
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
