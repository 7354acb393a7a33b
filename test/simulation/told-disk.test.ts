import { describe, expect, test } from 'vitest';
import { TeletrainError } from '../../shared/errors.ts';
import { tokenId } from '../../worker/gateway/tokens.ts';
import {
  type Ask,
  AskedWorker,
  bert,
  bring,
  commit,
  observersToken,
  run,
  start,
  stopNow,
  upload,
} from './asked-worker.ts';

/** Every request that needs the disk, while that takes nothing and after somebody saw to it. */

interface Case {
  readonly before: readonly Ask[];
  readonly asked: Ask;
  /** What it is answered once there is room; not given where the run ended for want of it. */
  readonly later?: unknown;
}

const cases: readonly Case[] = [
  { before: [], asked: start, later: { run } },
  { before: [start], asked: ['run.pause', { run }] },
  { before: [start], asked: ['run.change', { run, epochs: 60 }] },
  { before: [start], asked: stopNow },
  { before: [start, stopNow], asked: ['run.resume', { run }], later: {} },
  { before: [], asked: bring, later: {} },
  { before: [bring], asked: upload, later: { received: expect.any(Number) } },
  { before: [bring, upload], asked: commit, later: {} },
  { before: [], asked: ['observer.revoke', { id: tokenId(observersToken) }], later: {} },
];

describe('while the disk takes nothing, its trouble is told as such, with what to do, and is over when it is over:', () => {
  for (const [code, told] of [
    ['ENOSPC', 'disk-full'],
    ['EIO', 'disk-failed'],
  ] as const) {
    for (const { before, asked, later } of cases) {
      test(`${asked[0]}, ${code}`, async () => {
        const life = new AskedWorker();
        await life.boot();
        for (const ask of before) expect(await life.ask(bert, ask)).not.toBeInstanceOf(Error);
        const { disk } = life.machine;
        disk.trouble = { failing: { code, probability: 1 } };
        const error = await life.ask(bert, asked);
        expect(error).toBeInstanceOf(TeletrainError);
        expect(error).toMatchObject({
          code: expect.stringMatching(`^(${told}|journal-failed)$`),
          hint: expect.stringMatching(/worker/),
        });
        disk.trouble = {};
        if (later === undefined) return;
        expect(await life.ask(bert, asked)).toEqual(later);
      });
    }
  }
});
