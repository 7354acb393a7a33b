import { TeletrainError } from '../../shared/errors.ts';
import { version } from '../../shared/version.ts';
import type { EngineCommand, StartCommand } from '../channel.ts';
import { type Engine, openEngine } from './backend/engine.ts';
import { openGatewayLink } from './gateway-link.ts';
import { RunControls } from './training/controls.ts';
import { performRun } from './training/run.ts';

/**
 * The engine process: commands and events pass over the channel of worker/channel.ts.
 * TELETRAIN_PREFER_ENGINE=wasm takes WebAssembly though a better engine may be there.
 */

// Ctrl-C in a terminal reaches the whole process group; what becomes of a run, the gateway decides.
process.on('SIGINT', () => {});

interface ActiveRun {
  readonly id: string;
  readonly controls: RunControls;
  readonly ended: Promise<void>;
}

let active: ActiveRun | undefined;
let engine: Engine | undefined;
/** Commands wait here while the engine opens. */
const early: EngineCommand[] = [];

const link = openGatewayLink((command) => {
  if (engine !== undefined) obey(command, engine);
  else if (command.type === 'shutdown') process.exit(0);
  else early.push(command);
});

try {
  engine = await openEngine({
    ...(process.env.TELETRAIN_PREFER_ENGINE === 'wasm' && { prefer: 'wasm' }),
    onProgress: ({ message }) => process.stderr.write(`${message}\n`),
  });
} catch (error) {
  if (!(error instanceof TeletrainError)) throw error;
  link.send({ type: 'unusable', error: error.toJSON() });
  await link.drained();
  process.exit(1);
}
link.send({ type: 'ready', report: engine.report });
for (const command of early) obey(command, engine);

function obey(command: EngineCommand, engine: Engine): void {
  switch (command.type) {
    case 'start':
      start(command, engine);
      break;
    case 'pause':
      active?.controls.pause();
      break;
    case 'continue':
      active?.controls.continue();
      break;
    case 'stop':
      active?.controls.stop(command.when);
      break;
    case 'change': {
      const { type: _, ...change } = command;
      active?.controls.change(change);
      break;
    }
    case 'pin':
      active?.controls.pin(command.checkpoints);
      break;
    case 'shutdown':
      void shutDown();
  }
}

function start(command: StartCommand, engine: Engine): void {
  if (active !== undefined) {
    throw new Error(`Run ${command.record.id} was started while ${active.id} is active.`);
  }
  const { id } = command.record;
  const controls = new RunControls();
  // A rejection is a programming error: unhandled, it ends this process, and the gateway tells.
  const ended = performRun(command, {
    engine,
    controls,
    journal: {
      send: (event) => link.send({ type: 'event', run: id, event }),
      room: () => link.room(),
      kept: () => link.kept(),
    },
    sendStatus: (status) => link.send({ type: 'status', status }),
    sendDrawing: (drawing) => link.send({ type: 'drawing', drawing }),
    version,
  }).then(() => {
    active = undefined;
  });
  active = { id, controls, ended };
}

async function shutDown(): Promise<void> {
  active?.controls.shutdown();
  await active?.ended;
  await link.drained();
  process.exit(0);
}
