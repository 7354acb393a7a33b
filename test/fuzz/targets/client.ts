import { Connection } from '../../../client/session/connection.ts';
import type { ConnectionEffect } from '../../../client/session/connection-effects.ts';
import { inflateSample } from '../../../client/session/sample-images.ts';
import { encodeFrame } from '../../../shared/frames.ts';
import type { Chance } from '../chance.ts';
import { fromWorker, methodNames, params, runId } from '../corpus.ts';
import { frameOf, hostileFrame } from '../hostile-frames.ts';
import { reasonOf, requireCloseCode, type Target } from '../target.ts';

const [welcome] = fromWorker;

/** The client's machine with a request of every method under way, and a worker that means harm. */
export const client: Target = {
  name: 'client',
  share: 160,
  memory: 32 * 1024 * 1024,
  make: (chance) => [
    greeting(chance),
    ...Array.from({ length: 1 + chance.below(4) }, () =>
      hostileFrame(chance.pick(fromWorker), chance),
    ),
  ],
  run: async (input) => {
    const machine = new Connection({
      client: { id: 'a-client-of-fuzzing', name: 'fuzzing', version: '0.1.0' },
      requestPrefix: 'fuzz',
      random: () => 0.5,
    });
    let now = 1_795_395_600_000;
    const outcomes: string[] = [];
    machine.start(now);
    machine.opened(now, { token: 'x' });
    for (const method of methodNames) machine.request(now, method, params[method]);
    machine.follow(now, runId, 1);
    const carryOut = (effects: readonly ConnectionEffect[]) => {
      for (const effect of effects) outcomes.push(wordFor(effect));
    };
    for (const message of input) {
      now += 10;
      carryOut(machine.received(now, message));
      now = Math.max(now, Math.min(machine.nextTickAt ?? now, now + 1000));
      carryOut(machine.tick(now));
    }
    carryOut(machine.stop());
    return outcomes.find((word) => word.startsWith('closes 4')) ?? machineWord(outcomes);
  },
  close: async () => {},
};

const machineWord = (outcomes: readonly string[]): string =>
  outcomes.find((word) => word.startsWith('rejected') || word === 'event' || word === 'answer') ??
  'nothing came of it';

function greeting(chance: Chance): Uint8Array {
  if (welcome === undefined) throw new Error('the corpus has no welcome');
  return chance.once(4) ? hostileFrame(welcome, chance) : frameOf(welcome);
}

/** What came of it, after it was done as worker-link.ts and the store do it. */
function wordFor(effect: ConnectionEffect): string {
  switch (effect.type) {
    case 'send':
      if (effect.kind !== 'request') encodeFrame(effect.kind, effect.header, effect.payload);
      return 'send';
    case 'close':
      requireCloseCode(effect.code);
      return `closes ${effect.code} ${effect.reason}`;
    case 'rejected':
    case 'follow-failed':
      // A worker's own errors may have codes of a newer version.
      return effect.error.code === 'malformed-message'
        ? `rejected ${reasonOf(effect.error)}`
        : 'rejected';
    case 'event':
      if (effect.event.type === 'sample') inflateSample(effect.event);
      return 'event';
    case 'drawing':
      inflateSample(effect.drawing);
      return 'drawing';
    default:
      return effect.type;
  }
}
