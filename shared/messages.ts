import { z } from 'zod';
import { engineReportSchema } from './engine-report.ts';
import { longestErrorText } from './errors.ts';
import {
  checkpointIdSchema,
  drawingSchema,
  runEventSchema,
  runIdSchema,
  runStatusSchema,
} from './events.ts';
import { lifeIdSchema, livesSchema } from './lives.ts';
import { openName } from './open-name.ts';
import { recipeDescriptionSchema } from './recipe-list.ts';
import { manifestSchema, runRecordSchema, runSummarySchema } from './run.ts';

/**
 * Messages of protocol version 1. A frame (frames.ts) is a kind, a header (one of these schemas,
 * msgpack) and raw payload bytes. Unknown fields are ignored, so a newer peer still works.
 */

export const frameKinds = {
  hello: 1,
  welcome: 2,
  request: 3,
  response: 4,
  error: 5,
  event: 6,
  status: 7,
  cancel: 8,
  ping: 9,
  pong: 10,
  bye: 11,
  drawing: 12,
  commands: 13,
  results: 14,
  control: 15,
} as const;
export type FrameKind = keyof typeof frameKinds;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const name = z.string().min(1).max(64);
export const requestIdSchema = z.string().min(1).max(64);
export const wireErrorSchema = z.object({
  code: z.string().max(64),
  message: z.string().max(longestErrorText),
  hint: z.string().max(longestErrorText),
});
export type WireError = z.infer<typeof wireErrorSchema>;

export const helloSchema = z.object({
  protocol: z.object({ min: z.int(), max: z.int() }),
  client: z.object({
    /** Stable per installation: the ledger's key. */ id: z.string().min(8).max(64),
    name,
    version: z.string().max(32),
  }),
  /** A token from an earlier pairing, or the one-time code the worker printed. Never in the URL. */
  auth: z.union([z.object({ token: z.string().max(128) }), z.object({ code: z.string().max(32) })]),
  /** What the client takes beyond what every version 1 does. */
  capabilities: z.array(z.string().max(64)).max(64).optional(),
  /** It only asks how the worker is, as a list of workers does: its client is not there by it. */
  glance: z.boolean().optional(),
});
export type Hello = z.infer<typeof helloSchema>;

/** What a token allows: to look, or to change things too. */
export const roleSchema = z.enum(['control', 'observe']);
export type Role = z.infer<typeof roleSchema>;
/** As a client reads it: what a role of a newer worker allows, the worker knows. */
export const roleNameSchema = openName<Role>();
export type RoleName = z.infer<typeof roleNameSchema>;

/** Who has control of a worker, as one client is told. */
export const controlSchema = z.object({
  /** Whether it is this client. */
  yours: z.boolean(),
  /** Whoever had it last, and may have gone; absent before anybody asked for a change. */
  holder: z
    .object({
      /** For `control.take`. Not the client's own id, by which the ledger knows it: that is nobody else's to know. */
      id: z.string().max(64),
      name,
      connected: z.boolean(),
    })
    .optional(),
});
export type ControlState = z.infer<typeof controlSchema>;

export const welcomeSchema = z.object({
  protocol: z.int(),
  worker: z.object({
    /** Stable per worker home. */
    id: z.string().max(64),
    name,
    version: z.string().max(32),
    /** New at every start of the gateway: a client sees that the worker started anew. */
    epoch: z.string().max(64),
    startedAt: z.number(),
  }),
  capabilities: z.array(z.string().max(64)),
  limits: z.record(z.string(), z.number()),
  /** Of the token; a worker that does not say knows no observers. One of a newer worker's is no more than looking. */
  role: roleSchema.optional().catch('observe'),
  /** Only in answer to a pairing code: the token to keep. */
  token: z.string().max(128).optional(),
});
export type Welcome = z.infer<typeof welcomeSchema>;

const observerIdSchema = z.string().min(1).max(64);
/** Who may look at a worker, as those who may change things are told. */
const observerSchema = z.object({
  /** For `observer.revoke`. */
  id: observerIdSchema,
  /** What whoever invited it calls it, else what it calls itself. */
  name,
  /** What it calls itself. */
  client: name,
  pairedAt: z.number(),
  /** How many it has open now. */
  connections: z.int().min(0),
});
export type Observer = z.infer<typeof observerSchema>;

export const fileParams = z.object({
  run: runIdSchema,
  checkpoint: checkpointIdSchema,
  file: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/),
});

export const tensorSessionIdSchema = z.string().regex(/^[A-Za-z0-9_-]{16,64}$/);

/**
 * Who may ask for a method: whoever has a token (`observe`); whose token has the role `control`
 * (`control-token`); of those, who holds the control of the worker now (`control`).
 */
export type MethodNeed = 'observe' | 'control-token' | 'control';

/**
 * Methods: what a request asks, what answers it and who may ask. `changes` marks those that go
 * through the ledger: sent again with the same id they are answered again and not done again.
 */
export const methods = {
  'worker.info': {
    changes: false,
    needs: 'observe',
    params: z.object({}),
    result: z.object({
      name,
      version: z.string(),
      pid: z.int(),
      home: z.string(),
      engine: engineReportSchema.optional(),
      activeRun: runIdSchema.optional(),
      role: roleNameSchema.optional(),
      control: controlSchema.optional(),
      uptimeMs: z.number(),
      freeDiskBytes: z.number(),
    }),
  },
  /** Ends the worker; an active run leaves a checkpoint first. */
  'worker.stop': { changes: true, needs: 'control', params: z.object({}), result: z.object({}) },
  /** What can be trained, with each setting's default: a record must hold all of them. */
  'recipe.list': {
    changes: false,
    needs: 'observe',
    params: z.object({}),
    result: z.object({ recipes: z.array(recipeDescriptionSchema) }),
  },
  'run.list': {
    changes: false,
    needs: 'observe',
    params: z.object({}),
    result: z.object({ runs: z.array(runSummarySchema) }),
  },
  /** One run trains at a time: `worker-busy` otherwise. */
  'run.start': {
    changes: true,
    needs: 'control',
    params: z.object({ record: runRecordSchema }),
    result: z.object({ run: runIdSchema }),
  },
  'run.pause': {
    changes: true,
    needs: 'control',
    params: z.object({ run: runIdSchema }),
    result: z.object({}),
  },
  /** Of a paused run, or of a stopped, interrupted, failed or done one from its last checkpoint. */
  'run.resume': {
    changes: true,
    needs: 'control',
    params: z.object({ run: runIdSchema }),
    result: z.object({}),
  },
  'run.stop': {
    changes: true,
    needs: 'control',
    params: z.object({ run: runIdSchema, when: z.enum(['now', 'epoch']) }),
    result: z.object({}),
  },
  'run.change': {
    changes: true,
    needs: 'control',
    params: z.object({
      run: runIdSchema,
      epochs: z.int().positive().optional(),
      patience: z.int().min(0).optional(),
    }),
    result: z.object({}),
  },
  /** Makes a run known to a worker that lacks it, or some of it; its events go on from `nextSeq` as a new life. Checkpoint files follow by file.write. */
  'run.import': {
    changes: true,
    needs: 'control',
    params: z.object({
      record: runRecordSchema,
      nextSeq: z.int().positive(),
      /** Of the events before `nextSeq`. */
      lives: livesSchema,
      /** What the run goes on from. */
      checkpoint: manifestSchema,
      /** The one with the best validation loss, where that is another one. */
      best: manifestSchema.optional(),
      /** epochs and patience as last changed */ changed: z
        .object({ epochs: z.int().positive().optional(), patience: z.int().min(0).optional() })
        .optional(),
      /** The last event of what this worker has of the run, and is to move aside. */
      replaces: z.object({ life: lifeIdSchema.optional(), lastSeq: z.int().min(0) }).optional(),
    }),
    result: z.object({}),
  },
  /** Events of the run from `fromSeq` on, replayed and then live, as event frames on this connection; status frames too, and drawing frames where `drawings` asks for them. */
  'run.follow': {
    changes: false,
    needs: 'observe',
    params: z.object({
      run: runIdSchema,
      fromSeq: z.int().positive(),
      drawings: z.boolean().optional(),
    }),
    result: z.object({ summary: runSummarySchema }),
  },
  'run.unfollow': {
    changes: false,
    needs: 'observe',
    params: z.object({ run: runIdSchema }),
    result: z.object({}),
  },
  'checkpoint.list': {
    changes: false,
    needs: 'observe',
    params: z.object({ run: runIdSchema }),
    result: z.object({ checkpoints: z.array(manifestSchema) }),
  },
  /** The response's payload holds the bytes; fewer than asked only at the file's end. Pins the checkpoint against rotation for a minute. `file` may be manifest.json. */
  'file.read': {
    changes: false,
    needs: 'observe',
    params: fileParams.extend({ offset: z.int().min(0), length: z.int().min(1).max(262_144) }),
    result: z.object({ size: z.int() }),
  },
  /** Bytes in the request's payload, at `offset`, which must be what was received so far (ask with an empty payload). */
  'file.write': {
    changes: false,
    needs: 'control',
    params: fileParams.extend({ offset: z.int().min(0) }),
    result: z.object({ received: z.int() }),
  },
  /** All files arrived: verified against the imported manifest and renamed into place. */
  'checkpoint.commit': {
    changes: true,
    needs: 'control',
    params: z.object({
      run: runIdSchema,
      checkpoint: checkpointIdSchema,
      manifestSha256: sha256.optional(),
    }),
    result: z.object({}),
  },
  /**
   * A one-time code by which a client pairs that may only look. It takes the place of the one
   * before; it is in no ledger, so that it is on no disk.
   */
  'observer.invite': {
    changes: false,
    needs: 'control-token',
    params: z.object({
      /** What to call who pairs by it; by default what it calls itself. */
      name: name.optional(),
    }),
    result: z.object({ code: z.string().max(32), expiresAt: z.number() }),
  },
  /** Who paired to look, in the order in which they did. */
  'observer.list': {
    changes: false,
    needs: 'control-token',
    params: z.object({}),
    result: z.object({ observers: z.array(observerSchema) }),
  },
  /** An observer may look no more; its connections are ended. */
  'observer.revoke': {
    changes: true,
    needs: 'control-token',
    params: z.object({ id: observerIdSchema }),
    result: z.object({}),
  },
  /**
   * Takes control, also from a client that is connected: `from` is who had it when the person
   * decided, and where another has it now nothing is taken.
   */
  'control.take': {
    changes: true,
    needs: 'control-token',
    params: z.object({ from: z.string().max(64).optional() }),
    result: z.object({}),
  },
  /** Starts a tensor session under an id that the client chose, or takes it up again after a cut. */
  'tensor.open': {
    changes: false,
    needs: 'control-token',
    params: z.object({
      session: tensorSessionIdSchema,
      resume: z.boolean(),
      got: z.int().min(0),
    }),
    result: z.object({
      engine: engineReportSchema,
      kernels: z.array(z.string().max(64)).max(1024),
      received: z.int().min(0),
      bytes: z.number().positive(),
      handles: z.number().positive(),
    }),
  },
  /** Frees all that the session holds. */
  'tensor.close': {
    changes: false,
    needs: 'control-token',
    params: z.object({ session: tensorSessionIdSchema }),
    result: z.object({}),
  },
} as const satisfies Readonly<
  Record<string, { changes: boolean; needs: MethodNeed; params: z.ZodObject; result: z.ZodObject }>
>;

export type MethodName = keyof typeof methods;
export type ParamsOf<Method extends MethodName> = z.infer<(typeof methods)[Method]['params']>;
export type ResultOf<Method extends MethodName> = z.infer<(typeof methods)[Method]['result']>;

export const requestSchema = z.object({
  id: requestIdSchema,
  method: z.string().max(64),
  params: z.unknown(),
});
export const responseSchema = z.object({ id: requestIdSchema, result: z.unknown() });
/** `id` is absent when the error answers no request. */
export const errorSchema = z.object({ id: requestIdSchema.optional(), error: wireErrorSchema });
export const eventFrameSchema = z.object({ event: runEventSchema });
export const statusFrameSchema = z.object({ status: runStatusSchema });
export const drawingFrameSchema = z.object({ drawing: drawingSchema });
export const controlFrameSchema = z.object({ control: controlSchema });
export const cancelSchema = z.object({ id: requestIdSchema });
/** `time` is the sender's clock in ms; a pong returns it as it came. */
export const pingSchema = z.object({ time: z.number() });
export const byeSchema = z.object({ reason: wireErrorSchema });

/**
 * `number` counts this end's frames of the session that carry a batch, from 1; 0 carries none. `got`
 * is the last one of the other end's that was done with.
 */
export const commandsHeaderSchema = z.object({
  session: tensorSessionIdSchema,
  number: z.int().min(0),
  got: z.int().min(0),
});
export type CommandsHeader = z.infer<typeof commandsHeaderSchema>;
/** `ended`: the session is no more, and why. */
export const resultsHeaderSchema = commandsHeaderSchema.extend({
  ended: wireErrorSchema.optional(),
});
export type ResultsHeader = z.infer<typeof resultsHeaderSchema>;
