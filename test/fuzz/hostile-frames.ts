import type { Chance } from './chance.ts';
import { kindNumber, type Message, type Payload } from './corpus.ts';
import { writeMsgpack } from './msgpack-writer.ts';
import { mutateBytes, mutateValue } from './mutation.ts';

const aligned = (bytes: number): number => Math.ceil(bytes / 16) * 16;

/** A frame as PROTOCOL.md has it, of headers and payloads that need not be as it has them. */
export function frameOf({ kind, header, payload }: Message): Buffer {
  const packed = writeMsgpack(header);
  const raw = payload ? payloadBytes(payload) : new Uint8Array(0);
  const headerEnd = 16 + aligned(packed.length);
  const frame = Buffer.alloc(headerEnd + raw.length);
  frame.set([0x54, 1, kindNumber(kind), 0]);
  frame.writeUInt32LE(packed.length, 4);
  frame.writeUInt32LE(raw.length, 8);
  frame.set(packed, 16);
  frame.set(raw, headerEnd);
  return frame;
}

export function payloadBytes(payload: Payload): Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  const list = writeMsgpack(payload.list);
  const rawAt = 16 + aligned(list.length);
  const bytes = Buffer.alloc(rawAt + payload.raw.length);
  bytes.writeUInt32LE(list.length, 0);
  bytes.set(list, 16);
  bytes.set(payload.raw, rawAt);
  return bytes;
}

/** A message that is valid but for what chance did to its header, its payload or its bytes. */
export function hostileFrame(message: Message, chance: Chance): Uint8Array {
  const { kind, header, payload } = message;
  switch (chance.below(payload ? 4 : 3)) {
    case 0:
      return mutateBytes(frameOf(message), chance);
    case 1:
    case 2: {
      const changed = frameOf({ ...message, kind, header: mutateValue(header, chance) });
      return chance.once(8) ? mutateBytes(changed, chance) : changed;
    }
    default:
      return frameOf({ ...message, payload: hostilePayload(payload ?? new Uint8Array(0), chance) });
  }
}

export function hostilePayload(payload: Payload, chance: Chance): Payload {
  if (payload instanceof Uint8Array) return mutateBytes(payload, chance);
  const { list, raw } = payload;
  if (chance.once(4)) return mutateBytes(payloadBytes(payload), chance);
  // What is no list any more is written as it is.
  return { list: mutateValue(list, chance) as readonly unknown[], raw };
}
