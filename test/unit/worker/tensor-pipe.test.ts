import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PipeReader, pipeHead } from '../../../worker/tensor-pipe.ts';

test('messages arrive whole and in order, in whatever pieces they come', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 }),
      fc.constantFrom(0, 16, 512),
      fc.boolean(),
      (payloads, lengths, roomBefore, isRead) => {
        const bytes = Buffer.concat(
          payloads.flatMap((payload, index) => [pipeHead(index + 1, payload.length), payload]),
        );
        const heard: { number: number; payload: number[] }[] = [];
        const reader = new PipeReader(({ number, payload, release }) => {
          // Numbers of any type can be viewed in it.
          expect(payload.byteOffset).toBe(payload.length === 0 ? 0 : roomBefore);
          heard.push({ number, payload: [...payload] });
          // Nothing is read into it any more.
          release();
        }, roomBefore);
        for (let at = 0, piece = 0; at < bytes.length; piece += 1) {
          const length = lengths[piece % lengths.length] ?? 1;
          if (isRead) {
            const part = bytes.subarray(at, at + Math.min(length, reader.room.length));
            reader.room.set(part);
            reader.took(part.length);
            at += part.length;
          } else {
            reader.push(bytes.subarray(at, at + length));
            at += length;
          }
        }
        expect(heard).toEqual(
          payloads.map((payload, index) => ({ number: index + 1, payload: [...payload] })),
        );
      },
    ),
  );
});
