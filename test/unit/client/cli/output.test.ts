import { expect, it } from 'vitest';
import { Output } from '../../../../client/cli/output.ts';

function collecting(json: boolean) {
  const results: string[] = [];
  const notices: string[] = [];
  const output = new Output({
    json,
    results: { write: (text) => results.push(text) },
    notices: { write: (text) => notices.push(text) },
  });
  return { output, results, notices };
}

it('numbers that JSON cannot hold become their names', () => {
  const { output, results } = collecting(true);
  output.record({ loss: Number.NaN, nested: [Number.NEGATIVE_INFINITY], fine: 1.5 });
  expect(results).toEqual(['{"loss":"NaN","nested":["-Infinity"],"fine":1.5}\n']);
});

it('progress is said again only when its words change', () => {
  const { output, notices } = collecting(false);
  for (const text of ['compiling', 'compiling', 'checking', 'compiling']) output.progress(text);
  expect(notices).toEqual(['compiling\n', 'checking\n', 'compiling\n']);
});

it('what a worker says cannot command the terminal, in text and in JSON, which stays the same value', () => {
  const said = '\x1b]0;title\x07 \u009b2J \u202e \r gone';
  const { output, results, notices } = collecting(true);
  output.line(said);
  output.notice(said);
  output.document({ said });
  output.record({ said });
  for (const text of [...results, ...notices]) expect(text).not.toMatch(/[^\n -~·]/);
  expect(results.slice(1).map((text) => JSON.parse(text))).toEqual([{ said }, { said }]);
});
