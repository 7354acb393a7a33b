/**
 * Runs a program that was written for tfjs on a worker's engine, as it is:
 *
 *     node --import teletrain/register train.js
 *
 * TELETRAIN_WORKER names the worker, by its name or address; by default it is the one on this
 * machine, which is started where it does not run. TELETRAIN_REQUIRE=gpu ends the program where the
 * worker has no GPU to compute on. Before the program's first line the backend
 * `remote` is connected and chosen; and whatever tfjs package the program asks for, the binding to
 * TensorFlow among them, is the one copy of tfjs that this backend is registered with.
 */
import { isMainThread } from 'node:worker_threads';
import { TeletrainError } from '../shared/errors.ts';
import { engineText } from './cli/run-text.ts';
import { connect } from './remote/connect.ts';

// Threads of the program, and the one that holds the connection, are started with the same options.
if (isMainThread) {
  try {
    const session = await connect(process.env.TELETRAIN_WORKER, {
      onProgress: (message) => console.error(message),
      ...(process.env.TELETRAIN_REQUIRE === 'gpu' && { require: 'gpu' }),
    });
    // It imports tfjs, whose absence `connect` explains.
    const { shareTfjs } = await import('./remote/share-tfjs.ts');
    await shareTfjs();
    console.error(`teletrain: tfjs runs on ${session.worker} (${engineText(session.engine)})`);
  } catch (error) {
    if (!(error instanceof TeletrainError)) throw error;
    console.error(`teletrain: ${error.message} ${error.hint}`);
    process.exit(1);
  }
}
