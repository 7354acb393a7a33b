import { setImmediate as turn } from 'node:timers/promises';
import type { Chance } from '../chance.ts';
import { fromClient, hello, type Message, observerToken, type request, token } from '../corpus.ts';
import { frameOf, hostileFrame } from '../hostile-frames.ts';
import type { Target } from '../target.ts';
import { FuzzedSocket } from './fuzzed-socket.ts';
import { GatewayWorld } from './gateway-world.ts';

/** A world is left for a fresh one after so many inputs: runs and answers pile up in it. */
const inputsPerWorld = 1500;

/**
 * A connection of the gateway's from its first byte: handshake, authentication, and the requests of
 * every method with their real handlers, over a home on disk. The engine and the sockets are ours.
 */
export async function openWorker(): Promise<Target> {
  let world = await GatewayWorld.open();
  let inputs = 0;
  return {
    name: 'worker',
    share: 140,
    memory: 16 * 1024 * 1024,
    make: (chance) => [
      greeting(chance),
      ...Array.from({ length: 1 + chance.below(3) }, () => asked(chance)),
    ],
    run: async (input) => {
      inputs += 1;
      if (inputs % inputsPerWorld === 0) {
        await world.close();
        world = await GatewayWorld.open();
      }
      const socket = new FuzzedSocket();
      world.connect(socket, `address-${inputs}`);
      for (const message of input) {
        socket.arrive(message);
        // A client speaks when it was answered, or before.
        await world.settled();
        if (!socket.isOpen) break;
      }
      for (let quiet = 0, said = -1; quiet < 2; quiet += 1) {
        await turn();
        await world.settled();
        if (socket.said.length !== said) quiet = 0;
        said = socket.said.length;
      }
      socket.leave();
      world.requireNoFault();
      if (socket.faults.length > 0) throw new Error(socket.faults.join('; '));
      return socket.outcome;
    },
    close: () => world.close(),
  };
}

function greeting(chance: Chance): Uint8Array {
  if (chance.once(5)) return hostileFrame(hello({ token }), chance);
  return frameOf(hello({ token: chance.once(6) ? observerToken : token }));
}

function asked(chance: Chance): Uint8Array {
  const message = withNewId(chance.pick(fromClient), chance);
  return chance.once(4) ? frameOf(message) : hostileFrame(message, chance);
}

/** An id that was used is answered from the ledger; now and then that is what is wanted. */
function withNewId(message: Message, chance: Chance): Message {
  if (message.kind !== 'request' || chance.once(10)) return message;
  // The corpus' own requests are objects with an id.
  const header = message.header as ReturnType<typeof request>['header'] & object;
  return { ...message, header: { ...header, id: `r${chance.below(2 ** 32)}` } };
}
