import type { WorkerReference } from '../../session/types.ts';
import { formatBytes, formatPercent } from '../formatting.ts';
import type { Size } from '../panes/pane.ts';
import { type HomeState, isObserved, localWorkerName, type WorkerState } from '../state/home.ts';
import type { Look } from '../style/look.ts';
import { joinFitting, type Line, lineWidth, paintLine, type Row } from '../text/line.ts';
import { printable, wrapWords } from '../text/width.ts';
import { pointer, windowed } from './list-rows.ts';

type WorkerInfo = Extract<WorkerState, { kind: 'there' }>['info'];

const nameWidth = 12;

/** The workers with what fits of how they are, and below them, where there is room, all of it of the chosen one. */
export function workerRows(
  home: HomeState,
  { width, height }: Size,
  focused: boolean,
  look: Look,
): Row[] {
  const { workers, workerStates, chosen } = home;
  const paint = (line: Line): Row => paintLine(line, width, look.painter);
  if (!workers) return [paint([['looking…', 'label']])];
  const starting = workerStates.get(localWorkerName);
  if (workers.length === 0 && starting) {
    const local = { name: localWorkerName, url: '', local: true, addedAt: 0 };
    const name: Line = [['  '], [localWorkerName.padEnd(nameWidth)], [' ']];
    return [paint([...name, ...workerLine(home, local, width - lineWidth(name), look)])];
  }
  if (workers.length === 0) {
    const text =
      'None yet: one starts on this machine with the first run. Press c to connect to one in Colab.';
    return wrapWords(text, width).map((line) => paint([[line, 'label']]));
  }
  const { from, shown } = windowed(workers, chosen.workers, height);
  const rows = shown.map((worker, index) => {
    const isChosen = from + index === chosen.workers;
    const name: Line = [
      pointer(isChosen, focused, look),
      [printable(worker.name).padEnd(nameWidth), isChosen && focused ? 'accentStrong' : 'plain'],
      [' '],
    ];
    return paint([...name, ...workerLine(home, worker, width - lineWidth(name), look)]);
  });
  const worker = workers[chosen.workers];
  const details = (worker ? workerDetails(home, worker) : []).flatMap((text) =>
    wrapWords(text, width - 2),
  );
  if (details.length === 0 || rows.length + 1 + details.length > height) return rows;
  return [...rows, paint([]), ...details.map((text) => paint([['  '], [text, 'label']]))];
}

/** How a worker is, a line each thing; nothing where it was not asked yet. */
export function workerDetails(home: HomeState, worker: WorkerReference): string[] {
  const state = home.workerStates.get(worker.name);
  if (state?.kind === 'there') {
    const { info } = state;
    const what = [activity(info, info.activeRun), ...access(info, isObserved(home, worker))];
    const device = deviceOf(info) ?? 'CPU or GPU, as the first run finds it';
    return [
      what.join(', '),
      `${device}, ${roundTrip(info)}, ${formatBytes(info.freeDiskBytes)} free`,
    ];
  }
  if (state?.kind === 'unavailable' || (state?.kind === 'away' && !worker.local))
    return [printable(`${state.problem.message} ${state.problem.hint}`)];
  return [];
}

function workerLine(home: HomeState, worker: WorkerReference, width: number, look: Look): Line {
  const { glyphs } = look;
  const state = home.workerStates.get(worker.name);
  switch (state?.kind) {
    case 'there': {
      const { info } = state;
      const device = deviceOf(info);
      const items: Line[] = [
        [
          [`${glyphs.dot} `, info.activeRun === undefined ? 'good' : 'accent'],
          [activityThatFits(info, isObserved(home, worker), width - 2)],
        ],
        ...(device === undefined
          ? []
          : [[[device, info.engine?.device === 'gpu' ? 'good' : 'plain']] satisfies Line]),
        [[roundTrip(info), 'label']],
        [[`${formatBytes(info.freeDiskBytes)} free`, 'label']],
      ];
      return joinFitting(items, ['  '], width);
    }
    case 'away':
      return [
        [glyphs.ring, 'label'],
        [
          worker.local ? ' starts when it is needed' : ` away: ${printable(state.problem.message)}`,
          'label',
        ],
      ];
    case 'unavailable':
      return [
        [glyphs.cross, 'warning'],
        [` ${printable(`${state.problem.message} ${state.problem.hint}`)}`, 'label'],
      ];
    case 'starting':
      return [
        [glyphs.ring, 'accent'],
        [` ${printable(state.progress.message)}`, 'label'],
        [
          state.progress.total
            ? ` ${formatPercent((state.progress.done ?? 0) / state.progress.total)}`
            : '',
          'label',
        ],
      ];
    default:
      return [
        [glyphs.ring, 'label'],
        [` asking ${printable(worker.url)}`, 'label'],
      ];
  }
}

const activity = ({ activeRun }: WorkerInfo, run?: string): string =>
  activeRun === undefined ? 'ready' : run === undefined ? 'trains' : `trains ${printable(run)}`;

/** Who else may change things there, and whether this machine may. */
function access({ control }: WorkerInfo, observed: boolean): string[] {
  const other = control?.holder?.connected && !control.yours ? control.holder.name : undefined;
  return [
    ...(other === undefined ? [] : [`control: ${printable(other)}`]),
    ...(observed ? ['you observe'] : []),
  ];
}

/** As much of what a worker does, and for whom, as there is room for. */
function activityThatFits(info: WorkerInfo, observed: boolean, width: number): string {
  const who = access(info, observed);
  // Without when it began, which makes up half of a run's name.
  const recipe = info.activeRun?.replace(/-\d{8}-\d{6}-\w+$/, '');
  const texts = [
    ...(who.length > 0
      ? [
          [activity(info, info.activeRun), ...who],
          [activity(info, recipe), ...who],
          [activity(info), ...who],
        ]
      : []),
    [activity(info), ...who.slice(-1)],
  ].map((parts) => parts.join(', '));
  return texts.find((text) => lineWidth([[text]]) <= width) ?? activity(info);
}

/** Undefined while the worker has not started an engine yet. */
function deviceOf({ engine }: WorkerInfo): string | undefined {
  if (engine === undefined) return undefined;
  if (engine.device === 'gpu') return engine.gpu?.name ?? 'GPU';
  return engine.kind === 'wasm' ? 'WebAssembly' : `CPU, ${engine.threads} threads`;
}

const roundTrip = ({ roundTripMs }: WorkerInfo): string =>
  `${roundTripMs < 10 ? roundTripMs.toFixed(1) : Math.round(roundTripMs)} ms`;
