import { expect, it } from 'vitest';
import { Output } from '../../../../client/cli/output.ts';
import { RunPrinter } from '../../../../client/cli/run-printer.ts';
import type { RunView } from '../../../../client/session/types.ts';
import { runView } from './run-views.ts';

function printing(...views: RunView[]) {
  const lines: string[] = [];
  const notices: string[] = [];
  const output = new Output({
    json: false,
    results: { write: (text) => lines.push(text.trimEnd()) },
    notices: { write: (text) => notices.push(text.trimEnd()) },
  });
  const printer = new RunPrinter(output);
  for (const view of views) printer.print(view);
  return { lines, notices };
}

const epoch = (number: number, seq: number) => ({
  type: 'epoch' as const,
  run: 'r',
  seq,
  time: 0,
  step: 10 * number,
  epoch: number,
  seconds: 1,
  examplesPerSecond: 1,
  liveTensors: 1,
});

it('an epoch is printed once, and again when a recovered run repeats it', () => {
  const { lines } = printing(
    runView({ epochsDone: [epoch(1, 5)] }),
    runView({ epochsDone: [epoch(1, 5), epoch(2, 9)] }),
    runView({ epochsDone: [epoch(1, 5)] }),
    runView({ epochsDone: [epoch(1, 5), epoch(2, 14)] }),
  );
  expect(lines.map((line) => line.slice(0, 9))).toEqual(['epoch 1/2', 'epoch 2/2', 'epoch 2/2']);
});

it('a lost and found connection is told once each', () => {
  const waiting = (attempt: number) =>
    runView({
      connection: { kind: 'waiting', attempt, retryAt: 0, reason: 'the connection broke' },
    });
  const connecting = runView({ connection: { kind: 'connecting', attempt: 2 } });
  const { notices } = printing(
    runView({}),
    waiting(1),
    connecting,
    waiting(2),
    connecting,
    runView({}),
    runView({}),
  );
  expect(notices).toEqual([
    'The worker cannot be reached (the connection broke); trying again.',
    'Connected again.',
  ]);
});

it('warnings and errors of the log are told, all that came since the last look', () => {
  const warning = { time: 1, level: 'warning' as const, message: 'slow' };
  const error = { time: 1, level: 'error' as const, message: 'broken' };
  const info = { time: 2, level: 'info' as const, message: 'fine' };
  const { notices } = printing(
    runView({ log: [warning] }),
    runView({ log: [warning, error, info] }),
  );
  expect(notices).toEqual(['warning: slow', 'error: broken']);
});

it('what a worker logs cannot command the terminal', () => {
  const { notices } = printing(
    runView({
      log: [{ level: 'warning', message: '\x1b]0;title\x07\x1b[2Jgone\r\u202e', time: 0 }],
    }),
  );
  expect(notices).toContain('warning: ·]0;title··[2Jgone··');
});
