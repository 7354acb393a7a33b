import { createClient } from '../../../client/session/client.ts';
import type { RunView } from '../../../client/session/types.ts';
import { drawScreen } from '../../../client/ui/screens/screen.ts';
import { Dashboard } from '../../../client/ui/state/dashboard.ts';
import { lookOfEnvironment } from '../../../client/ui/style/look.ts';
import { keepYoungGenerationSmall } from '../../../shared/small-young-generation.ts';
import { peakMemory } from './peak-memory.ts';

/**
 * A client as a process of its own, so that its memory is its own. `argv[2]` is its home and `argv[3]`
 * what it does: `follow`, with the number of epochs, starts a run and follows it to its end; `open`,
 * with the name of a run, opens it from disk, draws it and reads all of its events. What it found
 * goes to its parent.
 */

export interface Followed {
  readonly run: string;
  readonly engine: number;
  readonly seconds: number;
  readonly lastSeq: number;
  /** Points of the training loss, which must be those of the steps 1, 2, 3, ... */
  readonly points: number;
  readonly isWhole: boolean;
  readonly peak: number;
}

export interface Opened {
  readonly openMs: number;
  readonly firstFrameMs: number;
  readonly nextFrameMs: number;
  readonly listMs: number;
  readonly listAgainMs: number;
  readonly readMs: number;
  /** Events in its journal, each one more than the one before. */
  readonly events: number;
  readonly points: number;
  readonly isWhole: boolean;
  readonly peakOpened: number;
  readonly peak: number;
}

// As client/cli/main.ts does.
keepYoungGenerationSmall();

const [, , home = '', mode = 'follow', what = ''] = process.argv;
const client = createClient({ home });
process.send?.(mode === 'follow' ? await follow(Number(what)) : await open(what));
await client.close();
process.disconnect();

async function follow(epochs: number): Promise<Followed> {
  const on = 'flooded';
  const handle = await client.startRun({ recipe: 'digits-pixel-rnn', settings: { epochs }, on });
  process.send?.({ started: handle.id });
  const startedAt = performance.now();
  const view = await handle.finished();
  const seconds = (performance.now() - startedAt) / 1000;
  const said = view.log.find(({ message }) => message.startsWith('engine process'))?.message;
  return {
    run: handle.id,
    engine: Number(said?.split(' ').at(-1)),
    ...{ seconds, lastSeq: view.lastSeq },
    ...pointsOf(view),
    peak: (await peakMemory(process.pid)) ?? 0,
  };
}

async function open(run: string): Promise<Opened> {
  const openMs = await timed(async () => void (await client.openRun(run, { offline: true })));
  const handle = await client.openRun(run, { offline: true });
  const dashboard = new Dashboard(client, { onLeave: () => {}, onRedraw: () => {} });
  dashboard.showRun(handle);
  const look = lookOfEnvironment({ TERM: 'xterm-256color' });
  const frame = async (): Promise<void> => {
    drawScreen(dashboard, { columns: 160, rows: 48 }, look);
  };
  const firstFrameMs = await timed(frame);
  const nextFrameMs = await timed(frame);
  const peakOpened = (await peakMemory(process.pid)) ?? 0;
  dashboard.close();
  let events = 0;
  let isInOrder = true;
  const readMs = await timed(async () => {
    for await (const { seq } of handle.events()) {
      events += 1;
      isInOrder &&= seq === events;
    }
  });
  const points = pointsOf(handle.view);
  const list = async (): Promise<void> => void (await client.runs());
  const listMs = await timed(list);
  const listAgainMs = await timed(list);
  return {
    ...{ openMs, firstFrameMs, nextFrameMs, listMs, listAgainMs, readMs, events },
    points: points.points,
    isWhole: points.isWhole && isInOrder,
    peakOpened,
    peak: (await peakMemory(process.pid)) ?? 0,
  };
}

function pointsOf(view: RunView): { points: number; isWhole: boolean } {
  const series = view.series.get('train/loss/step');
  if (!series) return { points: 0, isWhole: false };
  const { length, steps, values } = series;
  let isWhole = true;
  for (let at = 0; at < length; at += 1) {
    isWhole &&= steps[at] === at + 1 && values[at] === 1 / (at + 1);
  }
  return { points: length, isWhole };
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}
