import { smoothingWeights } from '../charts/smoothing.ts';

/** The panes of a run's screen, in the order of their number keys. */
export const panes = ['chart', 'samples', 'epochs', 'checkpoints', 'system', 'log'] as const;
export type PaneName = (typeof panes)[number];

export const paneTitles: Readonly<Record<PaneName, string>> = {
  chart: 'chart',
  samples: 'samples',
  epochs: 'epochs',
  checkpoints: 'checkpoints',
  system: 'system',
  log: 'log',
};

/** How a run is looked at. Nothing of it changes the run. */
export interface RunUi {
  readonly pane: PaneName;
  readonly zoomed: boolean;
  /** Which metric is drawn, counted from the first (the loss). */
  readonly metric: number;
  /** Index into `smoothingWeights`; undefined until the user chooses: then it goes by the number of points. */
  readonly smoothing?: number;
  readonly logarithmic: boolean;
  /** The values' axis leaves out the outermost values. */
  readonly robust: boolean;
  /** How many samples before the newest; 0 follows the newest. */
  readonly sampleBack: number;
  /** Rows of pictures that a sample is scrolled down. */
  readonly pictureFrom: number;
  /** Lines that the log is scrolled back; 0 follows. */
  readonly logBack: number;
  /** Index of the chosen checkpoint, from the newest. */
  readonly checkpoint: number;
  /** Epochs scrolled back from the newest. */
  readonly epochBack: number;
}

/** From so many values of batches on, a curve is smoothed unless the user says otherwise. */
const smoothedFrom = 150;
const usualSmoothing = 3;

/** Index of the smoothing in force: an average over ten batches tells little of a curve of twenty. */
export const smoothingOf = (ui: RunUi, batches: number): number =>
  ui.smoothing ?? (batches >= smoothedFrom ? usualSmoothing : 0);

export const initialRunUi: RunUi = {
  pane: 'chart',
  zoomed: false,
  metric: 0,
  logarithmic: false,
  robust: false,
  sampleBack: 0,
  pictureFrom: 0,
  logBack: 0,
  checkpoint: 0,
  epochBack: 0,
};

/** What the keys can reach; from the run as it is now. */
export interface RunReach {
  readonly metrics: number;
  /** Values of batches in the longest curve. */
  readonly batches: number;
  readonly samples: number;
  readonly pictures: number;
  readonly checkpoints: number;
  readonly logLines: number;
  readonly epochs: number;
  readonly panes: readonly PaneName[];
}

export type RunUiCommand =
  | 'pane.next'
  | 'pane.previous'
  | `pane.${PaneName}`
  | 'pane.zoom'
  | 'chart.nextMetric'
  | 'chart.previousMetric'
  | 'chart.smoother'
  | 'chart.rougher'
  | 'chart.unsmoothed'
  | 'chart.logarithmic'
  | 'chart.robust'
  | 'sample.earlier'
  | 'sample.later'
  | 'list.up'
  | 'list.down'
  | 'list.pageUp'
  | 'list.pageDown'
  | 'list.first'
  | 'list.last';

const clamp = (value: number, low: number, high: number): number =>
  Math.max(low, Math.min(high, value));
const turn = (value: number, count: number): number => (count === 0 ? 0 : (value + count) % count);

/** What a key does to how the run is looked at. */
export function changeRunUi(ui: RunUi, command: RunUiCommand, reach: RunReach): RunUi {
  switch (command) {
    case 'pane.next':
    case 'pane.previous': {
      const at = reach.panes.indexOf(ui.pane) + (command === 'pane.next' ? 1 : -1);
      return { ...ui, pane: reach.panes[turn(at, reach.panes.length)] ?? 'chart' };
    }
    case 'pane.zoom':
      return { ...ui, zoomed: !ui.zoomed };
    case 'chart.nextMetric':
      return { ...ui, metric: turn(ui.metric + 1, reach.metrics) };
    case 'chart.previousMetric':
      return { ...ui, metric: turn(ui.metric - 1, reach.metrics) };
    case 'chart.smoother':
      return {
        ...ui,
        smoothing: clamp(smoothingOf(ui, reach.batches) + 1, 0, smoothingWeights.length - 1),
      };
    case 'chart.rougher':
      return {
        ...ui,
        smoothing: clamp(smoothingOf(ui, reach.batches) - 1, 0, smoothingWeights.length - 1),
      };
    case 'chart.unsmoothed':
      return { ...ui, smoothing: 0 };
    case 'chart.logarithmic':
      return { ...ui, logarithmic: !ui.logarithmic };
    case 'chart.robust':
      return { ...ui, robust: !ui.robust };
    case 'sample.earlier':
      return { ...ui, sampleBack: clamp(ui.sampleBack + 1, 0, Math.max(0, reach.samples - 1)) };
    case 'sample.later':
      return { ...ui, sampleBack: clamp(ui.sampleBack - 1, 0, Math.max(0, reach.samples - 1)) };
    case 'list.up':
      return scrolled(ui, 1, reach);
    case 'list.down':
      return scrolled(ui, -1, reach);
    case 'list.pageUp':
      return scrolled(ui, 10, reach);
    case 'list.pageDown':
      return scrolled(ui, -10, reach);
    case 'list.first':
      return scrolled(ui, Infinity, reach);
    case 'list.last':
      return scrolled(ui, -Infinity, reach);
    default: {
      const pane = command.slice('pane.'.length) as PaneName; // the other commands are handled above
      return reach.panes.includes(pane) ? { ...ui, pane } : ui;
    }
  }
}

/** Moves the focused list by `rows`; up is towards what is older. */
function scrolled(ui: RunUi, rows: number, reach: RunReach): RunUi {
  const last = (count: number) => Math.max(0, count - 1);
  switch (ui.pane) {
    case 'log':
      return { ...ui, logBack: clamp(ui.logBack + rows, 0, last(reach.logLines)) };
    case 'epochs':
      return { ...ui, epochBack: clamp(ui.epochBack + rows, 0, last(reach.epochs)) };
    case 'checkpoints':
      // The newest is at the top of the list: up goes towards it.
      return { ...ui, checkpoint: clamp(ui.checkpoint - rows, 0, last(reach.checkpoints)) };
    case 'samples':
      return { ...ui, pictureFrom: clamp(ui.pictureFrom - rows, 0, last(reach.pictures)) };
    default:
      return ui;
  }
}
