import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { inflateSample, sampleFile } from '../../../../client/session/sample-images.ts';
import { type EventOf, runEventSchema } from '../../../../shared/events.ts';
import { methods } from '../../../../shared/messages.ts';
import { climbs } from '../../../fuzz/mutation.ts';
import { exchanges, numberedEvents } from '../../../interop/examples.ts';

/** What a worker may say of names that become paths on the laptop. */
const [manifest] = exchanges['checkpoint.list'].result.checkpoints;
const lists = (changed: object) =>
  methods['checkpoint.list'].result.safeParse({ checkpoints: [{ ...manifest, ...changed }] })
    .success;
const leading = climbs.filter(
  (name) => name !== 'con' && name !== 'nul' && name !== 'MANIFEST.JSON',
);

describe('a worker that means harm', () => {
  test('cannot name a file, a checkpoint or a run that leads out of the run’s folder', () => {
    expect(lists({})).toBe(true);
    const [file] = manifest?.files ?? [];
    for (const name of leading) {
      expect(lists({ files: [{ ...file, name }] }), `file ${name}`).toBe(false);
      expect(lists({ id: name }), `checkpoint ${name}`).toBe(false);
      expect(lists({ run: name }), `run ${name}`).toBe(false);
    }
    expect(lists({ files: [{ ...file, name: 'MANIFEST.JSON' }] })).toBe(false);
  });

  test.each(leading)('cannot have a sample written elsewhere by the name %j', (name) => {
    const { event } = numberedEvents.find((one) => one.event.type === 'sample') ?? {};
    const named = runEventSchema.safeParse({ ...event, name });
    if (!named.success || named.data.type !== 'sample') return;
    expect(sampleFile(named.data)).toMatch(/^samples\/\d{9}-[A-Za-z0-9_-]+\.png$/);
  });

  test('cannot have a picture inflate to more than it announces', () => {
    const bomb: EventOf<'sample'> = {
      ...{ run: 'one', seq: 1, time: 1, type: 'sample', step: 1, epoch: 1, name: 'grid' },
      ...{ count: 1, height: 28, width: 28, columns: 1, givenRows: 0 },
      pixels: deflateSync(Buffer.alloc(64 * 2 ** 20)),
    };
    const before = process.memoryUsage().arrayBuffers;
    expect(inflateSample(bomb)).toBeUndefined();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
  });
});
