import { appendFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Ledger } from '../../../../worker/gateway/ledger.ts';
import { LedgerFile } from '../../../../worker/gateway/ledger-file.ts';

const entry = (client: string, request: string, result: unknown = {}) => ({
  client,
  request,
  asked: `asked ${request}`,
  answer: { result },
});

describe('the request ledger', () => {
  test('lets a request be done once and answers it again from then on', async () => {
    const ledger = new Ledger();
    expect(ledger.begin('me', '1', 'asked 1')).toEqual({ kind: 'new' });
    const again = ledger.begin('me', '1', 'asked 1');
    expect(again.kind).toBe('underway');
    ledger.record(entry('me', '1', { run: 'one' }));
    if (again.kind === 'underway') expect(await again.answer).toEqual({ result: { run: 'one' } });
    expect(ledger.begin('me', '1', 'asked 1')).toEqual({
      kind: 'answered',
      answer: { result: { run: 'one' } },
    });
  });

  test('notices an id that is used for something else, while it is done and after', () => {
    const ledger = new Ledger();
    ledger.begin('me', '1', 'asked 1');
    expect(ledger.begin('me', '1', 'asked another thing').kind).toBe('different');
    ledger.record(entry('me', '1'));
    expect(ledger.begin('me', '1', 'asked another thing').kind).toBe('different');
  });

  test('keeps clients apart, whatever their ids look like', () => {
    const ledger = new Ledger();
    ledger.record(entry('a', 'b:c'));
    expect(ledger.begin('a:b', 'c', 'asked c').kind).toBe('new');
    expect(ledger.begin('a', 'b:c', 'asked b:c').kind).toBe('answered');
  });

  test('gives whoever waits the answer that could not be kept, and then forgets it', async () => {
    const ledger = new Ledger();
    ledger.begin('me', '1', 'asked 1');
    const waiting = ledger.begin('me', '1', 'asked 1');
    ledger.abandon('me', '1', { result: {} });
    if (waiting.kind === 'underway') expect(await waiting.answer).toEqual({ result: {} });
    expect(ledger.begin('me', '1', 'asked 1').kind).toBe('new');
  });

  test('never holds more than its bounds, and always the newest', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 5 }), fc.nat({ max: 9 })), { maxLength: 80 }),
        (requests) => {
          const ledger = new Ledger({ clients: 3, answersPerClient: 4 });
          for (const [client, request] of requests) ledger.record(entry(`${client}`, `${request}`));
          expect(ledger.size).toBeLessThanOrEqual(12);
          const last = requests.at(-1);
          if (last)
            expect(ledger.begin(`${last[0]}`, `${last[1]}`, `asked ${last[1]}`).kind).toBe(
              'answered',
            );
        },
      ),
    );
  });
});

describe('the ledger on disk', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'teletrain-ledger-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('answers after a restart, also when the last record was cut short', async () => {
    const path = join(folder, 'ledger');
    const first = await LedgerFile.open(path);
    await first.keep(entry('me', '1', { run: 'one' }));
    await first.close();
    await appendFile(path, Buffer.from([40, 0, 0, 0, 1, 2]));
    const second = await LedgerFile.open(path);
    expect(second.ledger.begin('me', '1', 'asked 1')).toEqual({
      kind: 'answered',
      answer: { result: { run: 'one' } },
    });
    await second.keep({
      client: 'me',
      request: '2',
      asked: 'asked 2',
      answer: { error: { code: 'worker-busy', message: 'It is busy.', hint: 'Wait.' } },
    });
    await second.close();
    const third = await LedgerFile.open(path);
    expect(third.ledger.begin('me', '1', 'asked 1').kind).toBe('answered');
    expect(third.ledger.begin('me', '2', 'asked 2')).toMatchObject({
      kind: 'answered',
      answer: { error: { code: 'worker-busy' } },
    });
    await third.close();
  });

  test('does not grow for ever', async () => {
    const path = join(folder, 'ledger');
    const file = await LedgerFile.open(path);
    await file.keep(entry('me', '0'));
    file.ledger.record(entry('me', '0'));
    const { size: one } = await stat(path);
    for (let count = 1; count <= 1_400; count += 1) {
      // One answer replaces the other, as when a bounded client goes on and on.
      const next = entry('me', '0', { count });
      await file.keep(next);
      file.ledger.record(next);
    }
    await file.close();
    expect((await stat(path)).size).toBeLessThan(one * 1_100);
    const again = await LedgerFile.open(path);
    expect(again.ledger.begin('me', '0', 'asked 0')).toMatchObject({
      answer: { result: { count: 1_400 } },
    });
    await again.close();
  });
});
