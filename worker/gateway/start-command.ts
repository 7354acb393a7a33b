import type { StartCommand } from '../channel.ts';
import type { Run } from './run.ts';
import { lastCheckpointOf } from './run-fold.ts';

/** What an engine is told to train `run` from where it is: from its beginning, or from a checkpoint. */
export function startCommand(
  run: Run,
  folders: { readonly dataDir: string | undefined; readonly cacheDir: string },
): StartCommand {
  const { dataDir, cacheDir } = folders;
  const { changed, step, hasCheckpoint, done } = run.fold;
  const lastCheckpoint = lastCheckpointOf(run.fold);
  return {
    type: 'start',
    record: run.record,
    directory: run.directory.path,
    resume: run.imported !== undefined || run.lastSeq > run.firstSeq,
    needsCheckpoint: hasCheckpoint,
    lastStep: step,
    ...(lastCheckpoint && { lastCheckpoint }),
    ...(done ? { testedStep: done.step } : {}),
    cacheDir,
    ...(Object.keys(changed).length > 0 ? { changed } : {}),
    ...(dataDir === undefined ? {} : { dataDir }),
  };
}
