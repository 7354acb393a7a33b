import { writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { totalmem } from 'node:os';
import * as tf from '@tensorflow/tfjs-core';
import { TeletrainError } from '../../../shared/errors.ts';
import { limits } from '../../../shared/limits.ts';
import { isKernelName } from '../../../shared/tensors/kernels.ts';
import { type FromTensorEngine, tensorPipe } from '../../channel.ts';
import { type PipeMessage, PipeReader, pipeHead } from '../../tensor-pipe.ts';
import { openEngine } from '../backend/engine.ts';
import { ResultWriter } from './result-writer.ts';
import { TensorSession } from './tensor-session.ts';

/**
 * The tensor engine: a process with an engine of its own for one session of a client's. Whatever
 * the session does with memory, or to TensorFlow, ends with this process.
 */

process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));

// Where memory runs out all the same, Linux ends this process first and not the gateway, a training
// run or a program of the user's. Other systems, and some containers, have no such file.
await writeFile('/proc/self/oom_score_adj', '1000').catch(() => {});

/** Of the machine's memory, or of the GPU's: a run may be training beside. */
const shareOfMemory = 0.5;
const nothing = new Uint8Array(0);

/** Its set-up may last, and is bounded by itself; the gateway ends an engine that starts and says nothing. */
const repeatMs = 20_000;
let doing: string | undefined;
const tell = () => doing !== undefined && process.stderr.write(`${doing}\n`);
const repeating = setInterval(tell, repeatMs);

try {
  const { report } = await openEngine({
    ...(process.env.TELETRAIN_PREFER_ENGINE === 'wasm' && { prefer: 'wasm' }),
    onProgress: ({ message }) => {
      doing = message;
      tell();
    },
  }).finally(() => clearInterval(repeating));
  const bytes = Math.floor((report.gpu?.memoryBytes ?? totalmem()) * shareOfMemory);
  const kernels = tf
    .getKernelsForBackend(tf.getBackend())
    .map(({ kernelName }) => kernelName)
    .filter(isKernelName);
  tf.env().set('CHECK_COMPUTATION_FOR_ERRORS', false);
  serve(bytes);
  say({ type: 'ready', report, kernels, bytes });
} catch (error) {
  if (!(error instanceof TeletrainError)) throw error;
  say({ type: 'unusable', error: error.toJSON() });
}

function serve(bytes: number): void {
  let done = Promise.resolve();
  const reader = new PipeReader((message) => {
    done = done.then(() => take(message));
  });
  const pipe = new Socket({
    fd: tensorPipe,
    // Into the batches' own memory: what Node would allocate for each read waits to be collected.
    onread: {
      buffer: () => reader.room,
      callback: (length) => {
        reader.took(length);
        return true;
      },
    },
  });
  let taken = 0;
  let takenTold = 0;
  const send = (payload: readonly Uint8Array[], written = () => {}) => {
    const length = payload.reduce((sum, part) => sum + part.byteLength, 0);
    takenTold = taken;
    pipe.cork();
    pipe.write(pipeHead(taken, length));
    for (const part of payload) pipe.write(part);
    // Called when all before it has left, too.
    pipe.write(nothing, (error) => {
      if (!error) written();
    });
    pipe.uncork();
  };
  const results = new ResultWriter({
    send,
    get unsentBytes() {
      return pipe.writableLength;
    },
  });
  const session = new TensorSession({ bytes, handles: limits.tensorHandles }, results);
  const tellTaken = () => {
    if (takenTold < taken) send([]);
  };
  const take = async ({ number, payload, release }: PipeMessage) => {
    if (pipe.destroyed) return;
    try {
      await session.take(payload);
    } catch (error) {
      if (!(error instanceof TeletrainError)) throw error;
      say({ type: 'unusable', error: error.toJSON() });
      pipe.destroy();
      return;
    }
    release();
    results.inOrder(() => {
      taken = number;
      // For all batches that have come by then, where none of them has results.
      if (!results.flush()) setImmediate(tellTaken);
    });
  };
  // The gateway is gone, or has no more use for this process: `disconnect` follows.
  pipe.on('error', () => {});
}

function say(message: FromTensorEngine): void {
  process.send?.(message);
}
