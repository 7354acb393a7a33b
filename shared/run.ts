import { z } from 'zod';
import { checkpointIdSchema, runIdSchema, runStateSchema } from './events.ts';
import { livesSchema } from './lives.ts';
import { openName } from './open-name.ts';
import type { RecipeName } from './recipes.ts';

/** `run.json`: what a run is. Written once at its start; changes while it runs are events. */
export const runRecordSchema = z.object({
  format: z.literal(1),
  id: runIdSchema,
  /** One that this end does not know is a newer end's. */
  recipe: openName<RecipeName>(),
  /** Complete, checked settings. */
  settings: z.record(z.string(), z.unknown()),
  quick: z.boolean(),
  /** Milliseconds since 1970. */
  createdAt: z.number(),
  /** Version of teletrain that made it. */
  version: z.string(),
});
export type RunRecord = z.infer<typeof runRecordSchema>;

/** One line of a worker's list of runs. */
export const runSummarySchema = z.object({
  record: runRecordSchema,
  state: runStateSchema,
  step: z.int().min(0),
  epoch: z.int().min(0),
  lastSeq: z.int().min(0),
  /** The first event this worker has, or its next one: above 1 for a run that was imported. */
  firstSeq: z.int().positive(),
  /** Of the events up to `lastSeq`, also of those that another worker has. */
  lives: livesSchema,
});
export type RunSummary = z.infer<typeof runSummarySchema>;

/** `checkpoints/<id>/manifest.json`: what the other files are. Written last; a folder without it is no checkpoint. */
export const manifestSchema = z.object({
  format: z.literal(1),
  run: runIdSchema,
  id: checkpointIdSchema,
  step: z.int().min(0),
  epoch: z.int().min(0),
  createdAt: z.number(),
  /** The monitored validation loss, when the checkpoint follows a validation. */
  validationLoss: z.number().optional(),
  files: z
    .array(
      z.object({
        /** A plain file name: no folders, no dots in front. */
        name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/),
        bytes: z.int().min(0),
        sha256: z.string().regex(/^[0-9a-f]{64}$/),
      }),
    )
    .max(32)
    .refine(
      (files) => new Set(files.map(({ name }) => name.toLowerCase())).size === files.length,
      'some disks take two of the names for one',
    )
    .refine(
      (files) => files.every(({ name }) => name.toLowerCase() !== 'manifest.json'),
      'manifest.json names the others',
    ),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** `digits-pixel-rnn-20261123-001522-k3f9`: sorts by recipe, then time; unique enough by four random letters. */
export function newRunId(recipe: string, now: Date, random: () => number = Math.random): string {
  const stamp = now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  const letters = Array.from(
    { length: 4 },
    () => 'abcdefghijkmnpqrstuvwxyz23456789'[Math.floor(random() * 32)],
  ).join('');
  return `${recipe}-${stamp}-${letters}`;
}
