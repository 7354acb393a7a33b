import type { EngineReport } from '../shared/engine-report.ts';
import type { Drawing, EventBody, RunStatus } from '../shared/events.ts';
import type { RunRecord } from '../shared/run.ts';

/**
 * What gateway and engine say to each other: Node's child-process channel with `serialization:
 * 'advanced'` (structured clone: typed arrays travel as bytes). Both are parts of one program of
 * one version started by one another, so the types are the contract; nothing here came from a
 * stranger unchecked.
 *
 * The engine runs as `node dist/worker/engine/main.js`, with environment from
 * `worker/native/environment.ts`. `TELETRAIN_REQUIRE_ENGINE` in it (`native` or `gpu`) says what the
 * engine must offer; one that cannot says `unusable`. When the channel closes it exits at once: an engine never
 * outlives its gateway. After a run it stays for the next one.
 */

export interface StartCommand {
  readonly type: 'start';
  readonly record: RunRecord;
  /** `<home>/runs/<id>`: checkpoints go below it; run.json is already there. */
  readonly directory: string;
  /** Go on from the newest whole checkpoint on disk. */
  readonly resume: boolean;
  /** It left checkpoints or came with one: where none is whole, fail rather than start over. */
  readonly needsCheckpoint: boolean;
  /** Step at which the run was done and its test split scored, if it was: not scored again there. */
  readonly testedStep?: number;
  /** Changes made since its start. */
  readonly changed?: { readonly epochs?: number; readonly patience?: number };
  /** Last step that was journaled, so that the engine can say `rewind` when it goes back behind it. */
  readonly lastStep: number;
  /**
   * The newest checkpoint that was journaled; without a hash one that a client brought. The engine
   * tells of one that it finds on disk beyond it: it was saved, and its event was lost.
   */
  readonly lastCheckpoint?: { readonly step: number; readonly manifestSha256?: string | undefined };
  readonly dataDir?: string;
  readonly cacheDir: string;
}

export type EngineCommand =
  | StartCommand
  | { readonly type: 'pause' }
  | { readonly type: 'continue' }
  /** `now`: after the current step; `epoch`: after this epoch, validated. Both leave a checkpoint. */
  | { readonly type: 'stop'; readonly when: 'now' | 'epoch' }
  | { readonly type: 'change'; readonly epochs?: number; readonly patience?: number }
  /** Checkpoints that must not be rotated away just now. */
  | { readonly type: 'pin'; readonly checkpoints: readonly string[] }
  /** Leave a checkpoint if a run is active, then exit 0. */
  | { readonly type: 'shutdown' };

export type ToEngine =
  | EngineCommand
  /**
   * So many of the events that this engine process sent are on the worker's disk, or are not wanted
   * any more. The engine waits when too many are not, so a slow disk slows it down and fills no memory.
   */
  | { readonly type: 'kept'; readonly events: number };

export type FromEngine =
  /** tfjs is loaded and tested; sent once. */
  | { readonly type: 'ready'; readonly report: EngineReport }
  /** The engine cannot work at all (e.g. a GPU was required); it exits after this. */
  | { readonly type: 'unusable'; readonly error: { code: string; message: string; hint: string } }
  /** To be numbered, journaled and sent. State events included: the engine says running, paused, done, stopped, failed. */
  | { readonly type: 'event'; readonly run: string; readonly event: EventBody }
  | { readonly type: 'status'; readonly status: RunStatus }
  | { readonly type: 'drawing'; readonly drawing: Drawing };

/** The file descriptor by which a tensor engine talks to its gateway (worker/tensor-pipe.ts). */
export const tensorPipe = 4;

/** What a tensor engine says over Node's channel; its work goes through the pipe. */
export type FromTensorEngine =
  | {
      readonly type: 'ready';
      readonly report: EngineReport;
      /** Names of the kernels that its engine has. */
      readonly kernels: readonly string[];
      /** What the session's tensors may take together. */
      readonly bytes: number;
    }
  /** It cannot work, or was sent what nobody should send: the session is over. */
  | { readonly type: 'unusable'; readonly error: { code: string; message: string; hint: string } };
