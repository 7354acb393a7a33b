import { z } from 'zod';
import { engineReportSchema } from './engine-report.ts';
import { lifeIdSchema } from './lives.ts';
import { openName } from './open-name.ts';

/**
 * Events: the numbered facts of a run. The worker's gateway numbers them (`seq`, from 1, without a
 * gap) and journals them before anybody sees them; a client that knows the last number it has can
 * ask for the rest. Losses are in nats an example (a picture's are summed over its pixels).
 */

export const runIdSchema = z
  .string()
  .regex(
    /^[a-z0-9](?:[a-z0-9-]{0,78}[a-z0-9])?$/,
    'a run id has lower-case letters, digits and dashes',
  );
export const checkpointIdSchema = z
  .string()
  .regex(/^step-\d{9}$/, 'a checkpoint id is step-000000123');

/** Any IEEE double: a loss may be NaN or infinite, and says so. In JSON these are the strings "NaN", "Infinity", "-Infinity". */
const measuredValue = z.custom<number>((value) => typeof value === 'number', 'a number');
const count = z.int().min(0);

export const runStates = [
  'starting',
  'running',
  'paused',
  'recovering',
  'done',
  'stopped',
  'failed',
  'interrupted',
] as const;
export const runStateSchema = z.enum(runStates);
export type RunState = z.infer<typeof runStateSchema>;

/** A run in one of these goes on only when it is resumed. `done` includes the end by patience. */
export const finalStates: readonly RunState[] = ['done', 'stopped', 'failed', 'interrupted'];
export const isFinal = (state: RunState): boolean => finalStates.includes(state);

export const splitSchema = z.enum(['train', 'validation', 'test']);

export const logLevels = ['info', 'warning', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];
/** A message of a level that this version does not know is shown as any other. */
export const knownLevel = (level: string): LogLevel =>
  logLevels.find((known) => known === level) ?? 'info';

/** Pictures, grey 0..255, `count` of height x width, deflated (zlib) one after the other, to be shown `columns` a row. */
const pictures = {
  step: count,
  epoch: count,
  name: z.string().max(64),
  count: z.int().min(1).max(400),
  height: z.int().min(1).max(256),
  width: z.int().min(1).max(256),
  columns: z.int().min(1).max(64),
  /** Rows from the top that were given, not drawn. */
  givenRows: count,
  pixels: z.instanceof(Uint8Array),
};

/** What the engine says; the gateway adds run, seq and time. */
export const eventBodySchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('state'),
    state: runStateSchema,
    /** Why, as a stable word: `epochs`, `patience`, `stop-now`, `stop-epoch`, `not-finite`, `engine-crashed`, an error's code, ... */
    reason: z.string().max(64).optional(),
    /** The same as a sentence. */
    message: z.string().max(4096).optional(),
  }),
  /** Which engine runs the steps that follow; also after every restart. */
  z.object({
    type: z.literal('engine'),
    report: engineReportSchema,
    parameters: count,
    stepsPerEpoch: count,
    dataset: z.object({
      name: z.string(),
      binarization: z.string().optional(),
      sources: z.array(z.object({ file: z.string(), sha256: z.string() })),
    }),
    differs: z.array(z.string()).optional(),
  }),
  z.object({
    type: z.literal('metric'),
    step: count,
    /** Epoch the step belongs to, from 1. */
    epoch: count,
    split: splitSchema,
    /** `step`: one batch. `epoch`: the mean over the split. */
    per: z.enum(['step', 'epoch']),
    name: z.string().max(64),
    value: measuredValue,
  }),
  /** An epoch ended; all of its metrics came before. */
  z.object({
    type: z.literal('epoch'),
    step: count,
    epoch: count,
    seconds: z.number(),
    examplesPerSecond: z.number(),
    liveTensors: count,
  }),
  z.object({ type: z.literal('sample'), ...pictures }),
  z.object({
    type: z.literal('log'),
    level: openName<LogLevel>(),
    message: z.string().max(8192),
  }),
  z.object({
    type: z.literal('checkpoint'),
    id: checkpointIdSchema,
    step: count,
    epoch: count,
    reason: openName<'epoch' | 'time' | 'stop' | 'end'>(),
    /** The best validation loss so far. */
    best: z.boolean(),
    bytes: count,
    /** SHA-256 of manifest.json. */
    manifestSha256: z.string().length(64),
  }),
  /** Rotated away on the worker; a copy at home stays. */
  z.object({ type: z.literal('checkpoint-removed'), id: checkpointIdSchema }),
  /** The run goes on from this step: points after it are void. */
  z.object({ type: z.literal('rewind'), toStep: count }),
  /** Settings changed while it runs, or a command was taken (`asked`) whose effect a state event will tell. */
  z.object({
    type: z.literal('change'),
    epochs: z.int().positive().optional(),
    patience: count.optional(),
    asked: z.enum(['pause', 'continue', 'stop-now', 'stop-epoch']).optional(),
  }),
]);
export type EventBody = z.infer<typeof eventBodySchema>;

/** An event that is to be journaled, perhaps because somebody asked for it. */
export type NewEvent = EventBody & { readonly request?: string | undefined };

/** Names a request of a client's without telling its id or the client's, which nobody else may know. */
export const requestKeySchema = z.string().min(1).max(64);

const envelope = {
  run: runIdSchema,
  seq: z.int().positive(),
  /** Milliseconds since 1970, worker's clock. */ time: z.number(),
  /** On the first event of a life of the run: its name (lives.ts). */
  life: lifeIdSchema.optional(),
  /** On an event that a request caused: by it the worker knows that this was done. */
  request: requestKeySchema.optional(),
};

const [state, engine, metric, epoch, sample, log, checkpoint, removed, rewind, change] =
  eventBodySchema.options;

/** A run may have a million events: an intersection of body and envelope would parse each twice. */
const knownEventSchema = z.discriminatedUnion('type', [
  state.extend(envelope),
  engine.extend(envelope),
  metric.extend(envelope),
  epoch.extend(envelope),
  sample.extend(envelope),
  log.extend(envelope),
  checkpoint.extend(envelope),
  removed.extend(envelope),
  rewind.extend(envelope),
  change.extend(envelope),
]);

/** What even an event has that this version has no words for. */
const envelopeSchema = z.object({ type: z.string().min(1).max(64), ...envelope });

/** An event that a newer worker made: it counts, and is kept. */
export interface UnknownEvent extends Omit<z.infer<typeof envelopeSchema>, 'type'> {
  type: 'unknown';
  /** As it came. */
  event: z.infer<typeof envelopeSchema>;
}

/**
 * A numbered event as journaled and sent. What a newer worker put into it stays in it, so that a
 * journal is whole whoever wrote it.
 */
export const runEventSchema = z.unknown().transform((value, context) => {
  const known = knownEventSchema.safeParse(value);
  // As it came, with fields that a schema leaves out: these check and change nothing.
  if (known.success) return value as z.infer<typeof knownEventSchema>;
  const unknown = envelopeSchema.safeParse(value);
  if (unknown.success) {
    const { type: _, ...numbered } = unknown.data;
    const event = value as UnknownEvent['event'];
    const read: UnknownEvent = { ...numbered, type: 'unknown', event };
    return read;
  }
  for (const { message, path } of known.error.issues) {
    context.addIssue({ code: 'custom', message, path });
  }
  return z.NEVER;
});
export type RunEvent = z.infer<typeof runEventSchema>;
export type EventOf<Type extends RunEvent['type']> = Extract<RunEvent, { type: Type }>;

/** About what an event takes, in bytes, where it waits; only the order of magnitude matters. */
export function roughBytes(event: EventBody | RunEvent): number {
  const fields = 256;
  if (event.type === 'sample') return fields + event.pixels.length;
  return event.type === 'log' ? fields + event.message.length : fields;
}

/** What crosses the wire and stands in a journal. */
export const eventContent = (event: RunEvent): object =>
  event.type === 'unknown' ? event.event : event;

/**
 * JSON has no NaN: such values become the strings "NaN", "Infinity", "-Infinity"; pictures are left
 * out (their file is named instead), and bytes that this version does not know are base64.
 */
export function eventToJson(event: RunEvent, samplePath?: string): Record<string, unknown> {
  const json = jsonFields(eventContent(event));
  if (event.type === 'sample') {
    delete json.pixels;
    if (samplePath !== undefined) json.file = samplePath;
  }
  return json;
}

const jsonFields = (fields: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, jsonValue(value)]));

function jsonValue(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map(jsonValue);
  return typeof value === 'object' && value !== null ? jsonFields(value) : value;
}

/**
 * What is true now and worth no journal: sent about once a second to who follows a run, never
 * replayed.
 */
export const runStatusSchema = z.object({
  run: runIdSchema,
  state: runStateSchema,
  /** What is being done: `loading data`, `training`, `validating`, `sampling`, `saving`, `testing`, ... */
  phase: z.string().max(64),
  step: count,
  epoch: count,
  epochs: count,
  stepsPerEpoch: count,
  /** Training examples a second over the last seconds; 0 before the first step. */
  examplesPerSecond: z.number(),
  /** Part done of a phase that takes time (0..1): loading data, sampling, validating. */
  phaseProgress: z.number().optional(),
  /** Estimated ms until the run's end, validation and sampling included; absent until it can be told. */
  remainingMs: z.number().optional(),
  gauges: z.object({
    liveTensors: count,
    engineMemoryBytes: z.number(),
    systemMemoryBytes: z.number(),
    systemMemoryUsedBytes: z.number(),
    /** 0..1 over all cores. */
    cpu: z.number(),
    gpu: z
      .object({ utilisation: z.number(), memoryUsedBytes: z.number(), memoryBytes: z.number() })
      .optional(),
  }),
});
export type RunStatus = z.infer<typeof runStatusSchema>;

/**
 * A sample that is being drawn, as far as it is: sent now and then to who follows a run and has
 * nothing to wait for, never replayed. The event `sample` with the whole of it follows, or none where
 * the drawing was broken off.
 */
export const drawingSchema = z.object({
  run: runIdSchema,
  ...pictures,
  /** Rows from the top that are there, given or drawn; the pixels below are zero and not known yet. */
  rows: count,
});
export type Drawing = z.infer<typeof drawingSchema>;
