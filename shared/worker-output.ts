import { z } from 'zod';
import { engineReportSchema } from './engine-report.ts';
import { runStatusSchema } from './events.ts';
import { wireErrorSchema } from './messages.ts';

/**
 * What a worker (`worker/gateway/main.ts`) prints with `--json`: one object a line on standard
 * output. The notebook shows its live status from these. Tokens are never among them.
 */
export const workerOutputSchema = z.discriminatedUnion('type', [
  /** Of its set-up, which may take minutes the first time. */
  z.object({ type: z.literal('progress'), message: z.string(), fraction: z.number().optional() }),
  /** It accepts connections. */
  z.object({
    type: z.literal('listening'),
    url: z.string(),
    name: z.string(),
    version: z.string(),
    pid: z.int(),
  }),
  /** A one-time code; a new one follows when it was used or has ended. */
  z.object({ type: z.literal('pairing'), code: z.string(), expiresAt: z.number() }),
  z.object({ type: z.literal('paired'), client: z.string() }),
  z.object({ type: z.literal('engine'), report: engineReportSchema }),
  /** About once a second while a run is active, once without `status` when none is. */
  z.object({
    type: z.literal('status'),
    clients: z.int().min(0),
    status: runStatusSchema.optional(),
  }),
  /** It cannot work and ends. */
  z.object({ type: z.literal('error'), error: wireErrorSchema }),
  z.object({ type: z.literal('stopped') }),
]);
export type WorkerOutput = z.infer<typeof workerOutputSchema>;
