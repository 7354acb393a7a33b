import { expect, it } from 'vitest';
import type { EngineReport, LayerReport } from '../../../../shared/engine-report.ts';
import { Output } from '../../../../worker/gateway/output.ts';
import { tinyReport } from '../engine/training/tiny-run.ts';

function said(report: EngineReport): string {
  let text = '';
  const sink = { write: (part: string) => (text += part) };
  new Output(sink, { json: false, status: false }).engine(report);
  return text;
}

const lstm = (name: 'kernel' | 'cudnn'): LayerReport => ({
  layer: 'LSTM',
  used: 'composed',
  implementations: [
    { name, agrees: false, reason: 'differs from the reference by 3.1e-2 in outputs' },
    { name: 'composed', agrees: true, reason: 'agrees to 2.0e-7, takes 1.00 ms' },
  ],
});

const sentence = (name: string) =>
  `LSTM is computed by composed and not by ${name}: differs from the reference by 3.1e-2 in outputs.`;

it('a worker says which of our kernels is wrong, and on a GPU whatever is not right', () => {
  const gpu = { device: 'gpu', gpu: { name: 'Tesla T4', memoryBytes: 1 } } as const;
  expect(said({ ...tinyReport, ...gpu, layers: [lstm('cudnn')] })).toContain(sentence('cudnn'));
  expect(said({ ...tinyReport, layers: [lstm('kernel')] })).toContain(sentence('kernel'));
});

it('a worker on a CPU does not say that cuDNN needs a GPU', () => {
  const text = said({ ...tinyReport, layers: [lstm('cudnn')] });
  expect(text).toMatch(/^Engine: .* threads\.\n$/);
});

it('the command by which a client pairs has the pin where the client needs it', () => {
  const printed = (more: object) => {
    let written = '';
    const sink = { write: (text: string) => (written += text) };
    const worker = {
      url: 'wss://box:1/',
      name: 'box',
      pid: 1,
      version: '0.1.0',
      code: 'K7QM-2XPD',
    };
    new Output(sink, { json: false, status: false }).listening({ ...worker, ...more });
    return written.trimEnd().split('\n').at(-1);
  };
  const pin = `sha256:${'a'.repeat(43)}`;
  const command = 'Pair with: teletrain connect wss://box:1/';
  expect(printed({ pin, pinNeeded: true })).toBe(`${command} --pin ${pin}`);
  expect(printed({ pin, pinNeeded: false })).toBe(command);
  expect(printed({})).toBe(command);
});

it.each([true, false])('a name that would steer the terminal cannot, with --json: %s', (json) => {
  const name = 'tablet\u001b[2J\u009b2J\u202e';
  let written = '';
  const sink = { write: (text: string) => (written += text) };
  new Output(sink, { json, status: false }).paired(name, 'control');
  expect(written).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
  if (json) expect(JSON.parse(written)).toMatchObject({ client: name });
});
