import { TensorLink } from '../../../client/remote/tensor-link.ts';
import type { WorkerLink } from '../../../client/session/worker-link.ts';
import { decodeFrame } from '../../../shared/frames.ts';
import { resultsHeaderSchema } from '../../../shared/messages.ts';
import { fromWorker } from '../corpus.ts';
import { hostileFrame } from '../hostile-frames.ts';
import { reasonOf, type Target } from '../target.ts';

const batches = fromWorker.filter(({ kind }) => kind === 'results');

/** The client's end of a tensor session, and results that no honest worker sends. */
export const tensorLink: Target = {
  name: 'tensor-link',
  share: 60,
  memory: 2 * 1024 * 1024,
  make: (chance) =>
    Array.from({ length: 1 + chance.below(3) }, () => hostileFrame(chance.pick(batches), chance)),
  run: async (input) => {
    let outcome = 'nothing came of it';
    let taker: Parameters<WorkerLink['takeResults']>[0] | undefined;
    const link: Pick<
      WorkerLink,
      'takeResults' | 'connected' | 'request' | 'onState' | 'sendCommands' | 'close'
    > = {
      takeResults: (given) => {
        taker = given;
      },
      connected: async () => ({ ...noWelcome, capabilities: ['tensors'] }),
      request: async () => ({ result: opened as never, payload: new Uint8Array(0) }),
      onState: () => () => {},
      sendCommands: () => true,
      close: () => {},
    };
    // Of the class only its public side is used, and all of that is here but what needs a socket.
    const tensors = new TensorLink(link as WorkerLink, 'a-tensor-session', {
      result: ({ type }) => {
        outcome = type;
      },
      progress: () => {},
      ended: (error) => {
        outcome = error.code === 'malformed-batch' ? reasonOf(error) : 'ended';
      },
    });
    await tensors.open(1000);
    for (const message of input) {
      let results: ReturnType<typeof read>;
      try {
        results = read(message);
      } catch (error) {
        // The connection's matter.
        return reasonOf(error);
      }
      if (results) taker?.results(results.header, results.payload);
    }
    return outcome;
  },
  close: async () => {},
};

function read(message: Uint8Array) {
  const { header, payload } = decodeFrame(message);
  const parsed = resultsHeaderSchema.safeParse(header);
  return parsed.success ? { header: parsed.data, payload } : undefined;
}

const noWelcome = {
  protocol: 1,
  worker: { id: 'w', name: 'a worker', version: '0.1.0', epoch: 'e', startedAt: 1 },
  capabilities: [],
  limits: {},
};
const opened = { engine: {}, kernels: [], received: 0, bytes: 1, handles: 1 };
