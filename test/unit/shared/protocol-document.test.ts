import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { drawingSchema, eventBodySchema, runStates } from '../../../shared/events.ts';
import { decodeFrame, encodeFrame } from '../../../shared/frames.ts';
import { decodeEvent, encodeRecord, scanRecords } from '../../../shared/journal.ts';
import { closeCodes, limits } from '../../../shared/limits.ts';
import { frameKinds, methods } from '../../../shared/messages.ts';
import { decodeBatch, encodeBatch } from '../../../shared/tensors/batch.ts';
import { parseCommand } from '../../../shared/tensors/commands.ts';
import { lossNames } from '../../../shared/tensors/losses.ts';
import { modelCommandNames } from '../../../shared/tensors/model-commands.ts';

const project = fileURLToPath(new URL('../../../', import.meta.url));
const page = readFileSync(`${project}PROTOCOL.md`, 'utf8');
const examples = [...page.matchAll(/```hex\n([0-9a-f\s]+)```/g)].map(([, hex]) =>
  Buffer.from((hex ?? '').replace(/\s/g, ''), 'hex'),
);

describe('PROTOCOL.md', () => {
  test('shows frames and a record as they are, byte for byte', () => {
    const [ping, request, batch, training, record] = examples;
    if (!ping || !request || !batch || !training || !record) {
      throw new Error('five examples are expected');
    }
    expect(encodeFrame('ping', { time: 1795395600000 })).toEqual(ping);
    expect(decodeFrame(ping)).toMatchObject({ kind: 'ping', header: { time: 1795395600000 } });
    const header = {
      id: 'a1',
      method: 'file.write',
      params: { run: 'one', checkpoint: 'step-000000010', file: 'state.json', offset: 0 },
    };
    expect(encodeFrame('request', header, Buffer.from('{"step":10}'))).toEqual(request);
    expect(decodeFrame(request)).toMatchObject({ kind: 'request', header });
    const commands = [
      ['run', 'Add', [1, 2], [], [3]],
      ['read', 1, 3],
    ];
    expect(Buffer.concat(encodeBatch(commands))).toEqual(batch);
    expect(decodeBatch(batch).list.map(parseCommand)).toEqual(commands);
    const step = [
      ['createRecipeModel', 1, 1, 'digits-pixel-rnn', { units: 16 }],
      ['forwardBackward', 2, 1, 1, null, null],
      ['optimStep', 3, 1, {}],
    ];
    expect(Buffer.concat(encodeBatch(step))).toEqual(training);
    expect(decodeBatch(training).list.map(parseCommand)).toEqual(step);
    const event = {
      type: 'state',
      state: 'starting',
      run: 'one',
      seq: 1,
      time: 1795395600000,
    } as const;
    expect(encodeRecord(event)).toEqual(record);
    expect(scanRecords(record).records.map(({ body }) => decodeEvent(body))).toEqual([event]);
  });

  test('describes every command on models and every loss', () => {
    for (const name of [...modelCommandNames, ...lossNames]) expect(page).toContain(`\`${name}\``);
  });

  test.each(Object.entries(frameKinds))('numbers the kind %s %i', (kind, number) => {
    expect(page).toContain(`| ${kind} | ${number} |`);
  });

  test.each(Object.entries(methods))(
    'describes %s and whether it changes something',
    (name, { changes, params }) => {
      const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\``));
      if (row === undefined) throw new Error(`${name} is not in the table`);
      expect(row.includes('✎')).toBe(changes);
      for (const field of Object.keys(params.shape)) expect(row).toContain(field);
    },
  );

  test('lists the methods that an observer may ask', () => {
    const line = page.split('\n').find((text) => text.startsWith('An observer may ask ')) ?? '';
    const listed = /^An observer may ask ([^.]*(?:\.[a-z][^.]*)*)\. /.exec(line)?.[1] ?? '';
    const open = Object.entries(methods).filter(([, { needs }]) => needs === 'observe');
    expect(listed.split(', ')).toEqual(open.map(([name]) => `\`${name}\``));
  });

  test.each(Object.entries(limits))('gives the limit %s as %i', (name, value) => {
    expect(page).toContain(`| \`${name}\` | ${value} |`);
  });

  test.each(Object.entries(closeCodes))('explains the close code of %s', (_name, code) => {
    expect(page).toContain(`| ${code} |`);
  });

  test.each(
    eventBodySchema.options.map(
      (option) => [option.shape.type.value, Object.keys(option.shape)] as const,
    ),
  )('describes events of type %s with their fields', (type, fields) => {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${type}\` |`)) ?? '';
    for (const field of fields.filter((name) => name !== 'type')) expect(row).toContain(field);
  });

  test('describes what is shown of a sample while it is drawn', () => {
    const line = page.split('\n').find((text) => text.startsWith('`drawing { drawing }`')) ?? '';
    expect(/: `([\w, ]+)`/.exec(line)?.[1]?.split(', ')).toEqual(Object.keys(drawingSchema.shape));
  });

  test.each(runStates)('names the state %s', (state) => {
    expect(page).toContain(`\`${state}\``);
  });

  test('explains every error code that the gateway uses', () => {
    const sources = globSync(['worker/gateway/*.ts', 'shared/**/*.ts'], { cwd: project }).map(
      (path) => readFileSync(`${project}${path}`, 'utf8'),
    );
    // A code is the first argument of what makes an error, also in the sub-classes and the session's refusals.
    const made = /(?:new \w*Error|super|refuse)\(\s*'([a-z]+(?:-[a-z]+)*)'/g;
    const codes = new Set(
      sources.flatMap((source) => [...source.matchAll(made)].map(([, code]) => code ?? '')),
    );
    expect(codes.size).toBeGreaterThan(40);
    // Those of addresses are a client's own.
    codes.delete('bad-url');
    expect([...codes].filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
  });
});
