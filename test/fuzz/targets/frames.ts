import { isDeepStrictEqual } from 'node:util';
import { Unpackr } from 'msgpackr';
import type { z } from 'zod';
import { decodeFrame } from '../../../shared/frames.ts';
import {
  byeSchema,
  cancelSchema,
  commandsHeaderSchema,
  controlFrameSchema,
  drawingFrameSchema,
  errorSchema,
  eventFrameSchema,
  type FrameKind,
  helloSchema,
  pingSchema,
  requestSchema,
  responseSchema,
  resultsHeaderSchema,
  statusFrameSchema,
  welcomeSchema,
} from '../../../shared/messages.ts';
import { decodeBatch } from '../../../shared/tensors/batch.ts';
import { parseCommand, parseResult } from '../../../shared/tensors/commands.ts';
import { fromClient, fromWorker } from '../corpus.ts';
import { hostileFrame } from '../hostile-frames.ts';
import { reasonOf, type Target } from '../target.ts';

const schemas: Readonly<Record<FrameKind, z.ZodType>> = {
  hello: helloSchema,
  welcome: welcomeSchema,
  request: requestSchema,
  response: responseSchema,
  error: errorSchema,
  event: eventFrameSchema,
  status: statusFrameSchema,
  control: controlFrameSchema,
  cancel: cancelSchema,
  ping: pingSchema,
  pong: pingSchema,
  bye: byeSchema,
  drawing: drawingFrameSchema,
  commands: commandsHeaderSchema,
  results: resultsHeaderSchema,
};

const all = [...fromClient, ...fromWorker];
const general = new Unpackr({ useRecords: false, mapsAsObjects: true, int64AsType: 'number' });

/** The decoders of frames, of msgpack and of batches, and every kind's schema; held to msgpackr. */
export const frames: Target = {
  name: 'frames',
  share: 535,
  memory: 2 * 1024 * 1024,
  make: (chance) => [hostileFrame(chance.pick(all), chance)],
  run: async ([message = new Uint8Array(0)]) => {
    try {
      const { kind, header, payload } = decodeFrame(message);
      if (kind === 'unknown') return 'of a newer version';
      requireSameAsMsgpackr(message, header);
      const isRight = schemas[kind].safeParse(header).success;
      if (!isRight) return 'malformed-message';
      if (kind === 'commands') for (const one of decodeBatch(payload).list) parseCommand(one);
      if (kind === 'results') for (const one of decodeBatch(payload).list) parseResult(one);
      return 'accepted';
    } catch (error) {
      return reasonOf(error);
    }
  },
  close: async () => {},
};

/** What we take, a general decoder reads as the same. Of text that is no UTF-8 each has its own view. */
function requireSameAsMsgpackr(message: Uint8Array, header: unknown): void {
  const packed = Buffer.from(message).subarray(16, 16 + Buffer.from(message).readUInt32LE(4));
  const read: unknown = general.unpack(packed);
  if (isDeepStrictEqual(plain(read), plain(header))) return;
  const text = packed.toString('latin1');
  if (/[\x80-\xff]/.test(text) && /\uFFFD|\uFEFF/.test(packed.toString('utf8'))) return;
  throw new Error('msgpackr reads another value');
}

/** Buffers and plain bytes are the same bytes. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}
