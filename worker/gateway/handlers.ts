import { isDeepStrictEqual } from 'node:util';
import { TeletrainError } from '../../shared/errors.ts';
import type { MethodName, ParamsOf } from '../../shared/messages.ts';
import { describeRecipes } from '../../shared/recipe-list.ts';
import { completeSettings, recipeNamed } from '../../shared/recipes.ts';
import type { RunRecord } from '../../shared/run.ts';
import type { System } from '../../shared/system.ts';
import { nodeSystem } from '../system.ts';
import type { ControlKeeper } from './control-keeper.ts';
import { readCheckpointFile } from './files.ts';
import type { Observers } from './observers.ts';
import type { AskingConnection, Outcome } from './outcome.ts';
import type { Runs } from './runs.ts';
import type { CheckedRequest } from './session.ts';
import type { TensorSessions } from './tensor-sessions.ts';
import type { Training } from './training.ts';
import type { Uploads } from './uploads.ts';

export type Handlers = {
  [Method in MethodName]: (
    params: ParamsOf<Method>,
    context: {
      readonly client: string;
      readonly payload: Uint8Array;
      readonly connection: AskingConnection;
      /** Of a request that changes something: goes where its effect is kept, for `done.ts` to find. */
      readonly request: string | undefined;
    },
  ) => Outcome<Method> | Promise<Outcome<Method>>;
};

export interface HandlersOptions {
  readonly runs: Runs;
  readonly training: Training;
  readonly uploads: Uploads;
  readonly tensors: TensorSessions;
  readonly observers: Pick<Observers, 'invite' | 'list' | 'revoke'>;
  readonly control: Pick<ControlKeeper, 'stateFor' | 'take'>;
  readonly worker: {
    readonly name: string;
    readonly version: string;
    readonly home: string;
    readonly startedAt: number;
  };
  /** Ends the worker once what was asked so far is answered. */
  readonly stopWorker: () => void;
  readonly system?: System;
}

/** As many summaries as fit one answer. */
const listedRuns = 500;

/**
 * What each method does. One that changes something keeps the request's key with what it did, so that
 * it is not done again where the worker was killed before it noted the answer in the ledger.
 */
export function createHandlers({
  runs,
  training,
  uploads,
  tensors,
  observers,
  control,
  worker,
  stopWorker,
  system = nodeSystem,
}: HandlersOptions): Handlers {
  const { clock, processes } = system;
  const freeBytes = async (): Promise<number> => {
    const { bavail, bsize } = await system.disk.statfs(worker.home);
    return bavail * bsize;
  };
  return {
    'worker.info': async (_params, { connection }) => {
      const { active, report } = training;
      return {
        result: {
          name: worker.name,
          version: worker.version,
          pid: processes.own,
          home: worker.home,
          uptimeMs: clock.now() - worker.startedAt,
          freeDiskBytes: await freeBytes(),
          ...(report ? { engine: report } : {}),
          ...(active ? { activeRun: active.id } : {}),
          role: connection.caller.role,
          control: control.stateFor(connection.caller),
        },
      };
    },
    'worker.stop': () => ({ result: {}, afterwards: stopWorker }),
    'recipe.list': () => ({ result: { recipes: describeRecipes() } }),
    'run.list': () => ({
      result: { runs: runs.newest(listedRuns).map((run) => run.summary) },
    }),
    'run.start': async ({ record }, { request }) => {
      const checked = checkedRecord(record);
      const known = runs.find(checked.id);
      if (known && isDeepStrictEqual(known.record, checked) && known.isBegun) {
        return { result: { run: known.id } };
      }
      const run = await training.start(() => runs.create(checked), request);
      return { result: { run: run.id } };
    },
    'run.pause': async ({ run }, { request }) => {
      await training.pause(runs.get(run), request);
      return { result: {} };
    },
    'run.resume': async ({ run }, { request }) => {
      await training.resume(runs.get(run), request);
      return { result: {} };
    },
    'run.stop': async ({ run, when }, { request }) => {
      await training.stop(runs.get(run), when, request);
      return { result: {} };
    },
    'run.change': async ({ run, epochs, patience }, { request }) => {
      const changed = {
        ...(epochs === undefined ? {} : { epochs }),
        ...(patience === undefined ? {} : { patience }),
      };
      await training.change(runs.get(run), changed, request);
      return { result: {} };
    },
    'run.import': async (params, { request }) => {
      const { record, nextSeq, lives, checkpoint, best, changed, replaces } = params;
      const checkpoints = [checkpoint, ...(best ? [best] : [])];
      if (checkpoints.some(({ run }) => run !== record.id)) {
        throw new TeletrainError('bad-params', 'The checkpoint is not one of the imported run.', {
          hint: "Send the manifest of one of the run's own checkpoints.",
        });
      }
      const files = checkpoints.flatMap((manifest) => manifest.files);
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      if (bytes > (await freeBytes())) {
        throw new TeletrainError('disk-full', `The worker's disk has no room for ${bytes} bytes.`, {
          hint: 'Free some space on the worker, then try again.',
        });
      }
      const imported = {
        ...{ nextSeq, lives, checkpoint },
        ...(best ? { best } : {}),
        ...(changed ? { changed } : {}),
      };
      await runs.import(checkedRecord(record), imported, { replaces, request });
      return { result: {} };
    },
    'run.follow': ({ run: id, fromSeq, drawings }, { connection }) => {
      const run = runs.get(id);
      if (fromSeq > run.lastSeq + 1) {
        throw new TeletrainError(
          'events-ahead',
          `This worker has events of "${id}" up to ${run.lastSeq}, and ${fromSeq} was asked for.`,
          {
            hint: `It lost a part of the run: go on from your own copy by "teletrain resume ${id} --on <worker>".`,
          },
        );
      }
      if (fromSeq > 1 && fromSeq < run.firstSeq) {
        throw new TeletrainError(
          'events-missing',
          `This worker has events of "${id}" from ${run.firstSeq} on, and ${fromSeq} was asked for.`,
          {
            hint: `Open the run where those between were received, or give up this copy of it: teletrain clean --run ${id}.`,
          },
        );
      }
      connection.follow(run, { fromSeq, drawings });
      return { result: { summary: run.summary } };
    },
    'run.unfollow': ({ run }, { connection }) => {
      connection.unfollow(run);
      return { result: {} };
    },
    'checkpoint.list': async ({ run }) => ({
      result: { checkpoints: await runs.get(run).directory.checkpoints() },
    }),
    'file.read': async ({ run: id, checkpoint, file, offset, length }) => {
      const run = runs.get(id);
      const { size, bytes } = await readCheckpointFile(
        run.directory,
        checkpoint,
        file,
        offset,
        length,
      );
      // Only what is there takes the place of another that is kept.
      training.pin(run, checkpoint);
      return { result: { size }, payload: bytes };
    },
    'file.write': async ({ run, checkpoint, file, offset }, { payload }) => ({
      result: { received: await uploads.receive(runs.get(run), checkpoint, file, offset, payload) },
    }),
    'checkpoint.commit': async ({ run, checkpoint, manifestSha256 }, { request }) => {
      await uploads.commit(runs.get(run), checkpoint, manifestSha256, request);
      return { result: {} };
    },
    'control.take': async ({ from }, { connection, request }) => {
      await control.take(connection.caller, from, request);
      return { result: {} };
    },
    'observer.invite': ({ name }) => ({ result: observers.invite(name) }),
    'observer.list': () => ({ result: observers.list() }),
    'observer.revoke': async ({ id }, { connection }) => {
      await observers.revoke(id, connection.caller);
      return { result: {} };
    },
    'tensor.open': async (params, { client, connection }) => ({
      result: await tensors.open(client, params, connection),
    }),
    'tensor.close': ({ session }, { client }) => {
      tensors.close(client, session);
      return { result: {} };
    },
  };
}

export function handle<Method extends MethodName>(
  handlers: Handlers,
  client: string,
  request: CheckedRequest<Method>,
  connection: AskingConnection,
  key?: string,
): Outcome | Promise<Outcome> {
  const { method, params, payload } = request;
  return handlers[method](params, { client, payload, connection, request: key });
}

/** @throws UsageError `unknown-recipe`, `unknown-setting`, `bad-setting`. */
function checkedRecord(record: RunRecord): RunRecord {
  const { name } = recipeNamed(record.recipe);
  return { ...record, settings: completeSettings(name, record.settings) };
}
