import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { drawingSchema, eventBodySchema, runStates } from '../../../shared/events.ts';
import { decodeFrame, encodeFrame } from '../../../shared/frames.ts';
import { decodeEvent, encodeRecord, scanRecords } from '../../../shared/journal.ts';
import { closeCodes, limits } from '../../../shared/limits.ts';
import {
  byeSchema,
  cancelSchema,
  commandsHeaderSchema,
  drawingFrameSchema,
  errorSchema,
  frameKinds,
  helloSchema,
  methods,
  pingSchema,
  requestSchema,
  responseSchema,
  resultsHeaderSchema,
  roleSchema,
  statusFrameSchema,
  welcomeSchema,
} from '../../../shared/messages.ts';
import { manifestSchema } from '../../../shared/run.ts';
import { decodeBatch, encodeBatch } from '../../../shared/tensors/batch.ts';
import { parseCommand } from '../../../shared/tensors/commands.ts';
import { type KernelSignature, kernels } from '../../../shared/tensors/kernels.ts';
import { lossNames } from '../../../shared/tensors/losses.ts';
import { modelCommandNames } from '../../../shared/tensors/model-commands.ts';
import { layerClasses } from '../../../worker/engine/tensors/models/layer-classes.ts';
import { capabilities } from '../../../worker/gateway/door.ts';

const project = fileURLToPath(new URL('../../../', import.meta.url));
const page = readFileSync(`${project}PROTOCOL.md`, 'utf8');
const examples = [...page.matchAll(/```hex\n([0-9a-f\s]+)```/g)].map(([, hex]) =>
  Buffer.from((hex ?? '').replace(/\s/g, ''), 'hex'),
);

const messages: Readonly<Record<string, z.ZodType>> = {
  hello: helloSchema,
  welcome: welcomeSchema,
  request: requestSchema,
  response: responseSchema,
  error: errorSchema,
  status: statusFrameSchema,
  drawing: drawingFrameSchema,
  cancel: cancelSchema,
  ping: pingSchema,
  bye: byeSchema,
  commands: commandsHeaderSchema,
  results: resultsHeaderSchema,
};

/** The names of all fields in a JSON Schema, at any depth. */
function fieldsOf(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, part]) =>
    key === 'properties'
      ? Object.entries(part as object).flatMap(([name, field]) => [name, ...fieldsOf(field)])
      : fieldsOf(part),
  );
}

/** The text in the first block of a section. */
const blockUnder = (title: string): string =>
  page.slice(page.indexOf(`\n## ${title}\n`)).split(/^```$/m)[1] ?? '';

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

  test('lists the methods that need control', () => {
    const [, listed = ''] = /or end the worker, which are ([^\n]*?)\. For another/.exec(page) ?? [];
    const closed = Object.entries(methods).filter(([, { needs }]) => needs === 'control');
    expect(listed.split(', ').sort()).toEqual(closed.map(([name]) => `\`${name}\``).sort());
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

  test.each([
    ...Object.entries(messages),
    ...Object.entries(methods).flatMap(([name, { params, result }]): [string, z.ZodType][] => [
      [`params of ${name}`, params],
      [`result of ${name}`, result],
    ]),
    ['manifest', manifestSchema],
    ...eventBodySchema.options.map((option): [string, z.ZodType] => [
      `event ${option.shape.type.value}`,
      option,
    ]),
  ])('names every field of %s', (_name, schema) => {
    const names = fieldsOf(z.toJSONSchema(schema, { unrepresentable: 'any', io: 'input' }));
    const words = new Set(page.match(/\w+/g));
    expect(names.filter((name) => !words.has(name))).toEqual([]);
  });

  test('lists every kernel with its inputs and attributes', () => {
    const section = blockUnder('Kernels');
    const listed = [...section.matchAll(/^(\w+)\(([^;)]*)(?:; ([^)]*))?\)$/gm)].map(
      ([, name, inputs, attributes = '']) => [name, { inputs, attributes }],
    );
    const expected = Object.entries<KernelSignature>(kernels).map(([name, signature]) => {
      const inputs = signature.inputs === 'list' ? '...' : signature.inputs.join(', ');
      return [name, { inputs, attributes: signature.attributes.join(', ') }];
    });
    expect(Object.fromEntries(listed)).toEqual(Object.fromEntries(expected));
    expect(listed.length).toBe(expected.length);
  });

  test('lists every class that a model.json may name', () => {
    const listed = blockUnder('Layer classes').trim().split(/\s+/);
    expect(listed.toSorted()).toEqual([...layerClasses].toSorted());
  });

  test.each([...capabilities, ...roleSchema.options])('names the capability or role %s', (name) => {
    expect(page).toContain(`\`${name}\``);
  });

  test('explains every error code that the gateway and a tensor session use', () => {
    const sources = globSync(
      ['worker/gateway/*.ts', 'worker/engine/tensors/**/*.ts', 'shared/**/*.ts'],
      { cwd: project },
    ).map((path) => readFileSync(`${project}${path}`, 'utf8'));
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
