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
  controlFrameSchema,
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
  control: controlFrameSchema,
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

/** What a worker may say is written in these. */
const sources = globSync(['worker/**/*.ts', 'shared/**/*.ts'], {
  cwd: project,
  exclude: ['worker/benchmarks/**'],
})
  .map((path) => readFileSync(`${project}${path}`, 'utf8'))
  .join('\n');

/** The first cells of the tables under a title whose first column has this head, without marks. */
function tablesUnder(title: string, head: string): string[][] {
  const [section = ''] = page.split(new RegExp(`^##+ ${title}\\n`, 'm'))[1]?.split(/^##+ /m) ?? [];
  return section
    .split(/\n(?!\|)/)
    .map((block) => block.split('\n').filter((line) => line.startsWith('|')))
    .map((lines) => lines.map((line) => line.split('|')[1]?.trim() ?? ''))
    .filter(([first]) => first === head)
    .map(([, , ...cells]) => cells.map((cell) => cell.replace(/[`✎]/g, '').trim()));
}

const firstCells = (title: string, head: string): string[] => tablesUnder(title, head)[0] ?? [];

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

  test('explains every error code that a worker uses', () => {
    // A code is the first argument of what makes an error, also in the sub-classes and the session's refusals.
    const made = /(?:new \w*Error|super|refuse)\(\s*'([a-z]+(?:-[a-z]+)*)'/g;
    const codes = new Set([...sources.matchAll(made)].map(([, code]) => code ?? ''));
    expect(codes.size).toBeGreaterThan(60);
    // Those of addresses are a client's own.
    codes.delete('bad-url');
    expect([...codes].filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
  });

  test('names no error code, reason or state that no worker uses', () => {
    const named = [...page.matchAll(/`([a-z]+(?:-[a-z]+)+)`/g)].map(([, name]) => name ?? '');
    expect(named.length).toBeGreaterThan(100);
    const used = (name: string) => sources.includes(`'${name}'`) || name === 'permessage-deflate';
    expect(named.filter((name) => !used(name))).toEqual([]);
  });

  test('has the methods, kinds, limits, close codes and events in its tables that there are, and no others', () => {
    expect(firstCells('Methods', 'method').toSorted()).toEqual(Object.keys(methods).toSorted());
    expect(firstCells('Frames', 'kind')).toEqual(Object.keys(frameKinds));
    expect(firstCells('Limits', 'name').toSorted()).toEqual(Object.keys(limits).toSorted());
    // The three others are of the WebSocket layer.
    const codes = [...Object.values(closeCodes), 1002, 1007, 1008].toSorted((a, b) => a - b);
    expect(firstCells('Ending', 'code').map(Number)).toEqual(codes);
    const types = eventBodySchema.options.map(({ shape }) => shape.type.value);
    expect(firstCells('Events', 'type')).toEqual(types);
  });

  test('has the HTTP statuses that the server answers', () => {
    const server = readFileSync(`${project}worker/gateway/server.ts`, 'utf8');
    const said = [...server.matchAll(/(?:return \[|writeHead\()(\d{3}),/g)].map(([, code]) => code);
    const listed = firstCells('Connecting', 'status');
    expect(new Set(listed)).toEqual(new Set(said));
  });

  test('has the commands and results of a tensor session that there are, and no others', () => {
    const [tensor, result, model] = [
      ...tablesUnder('Tensors', 'command'),
      ...tablesUnder('Tensors', 'result'),
      ...tablesUnder('Models', 'command'),
    ];
    const names = (text: string | undefined, type: string): string[] => {
      const [, union = ''] = new RegExp(`export type ${type} =([^]*?);\\n`).exec(text ?? '') ?? [];
      return [...union.matchAll(/\[\s*'(\w+)'/g)].map(([, name]) => name ?? '');
    };
    const source = readFileSync(`${project}shared/tensors/commands.ts`, 'utf8');
    expect(tensor?.toSorted()).toEqual(names(source, 'TensorCommand').toSorted());
    expect(result).toEqual(names(source, 'Result'));
    expect(model).toEqual(modelCommandNames);
  });

  test('says which params of each method, and which fields of each event, may be missing', () => {
    const marked = (row: string, name: string) => new RegExp(`\\b${name}\\?`).test(row);
    const rows = page.split('\n');
    const checked = (start: string, fields: Readonly<Record<string, z.ZodType>>) => {
      const row = rows.find((line) => line.startsWith(start)) ?? '';
      for (const [name, field] of Object.entries(fields)) {
        expect(marked(row, name), `${start} ${name}`).toBe(field.safeParse(undefined).success);
      }
    };
    for (const [name, { params, result }] of Object.entries(methods)) {
      checked(`| \`${name}\``, params.shape);
      if (name !== 'tensor.open') checked(`| \`${name}\``, result.shape);
    }
    for (const { shape } of eventBodySchema.options) checked(`| \`${shape.type.value}\` |`, shape);
  });

  test('has what a worker prints with --json', () => {
    const output = readFileSync(`${project}worker/gateway/output.ts`, 'utf8');
    const said = [...output.matchAll(/\bevent: '(\w+)'/g)].map(([, event]) => event ?? '');
    const listed = firstCells('Starting a worker', '`event`');
    expect(listed.toSorted()).toEqual([...new Set(said)].toSorted());
  });
});
