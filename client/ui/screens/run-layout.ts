import type { PaneName } from '../state/run-ui.ts';

/** A pane in its place, in cells from the body's top left. `chart2` is a second chart. */
export interface PlacedPane {
  readonly pane: PaneName | 'chart2';
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

export type RunLayout =
  /** One line: there is no room for more. */
  | { readonly kind: 'line' }
  /** Numbers and a sparkline. */
  | { readonly kind: 'numbers' }
  | { readonly kind: 'panes'; readonly tabs: boolean; readonly panes: readonly PlacedPane[] };

export interface RunLayoutOptions {
  readonly width: number;
  /** Of the body: without header, alerts and footer. */
  readonly height: number;
  readonly pane: PaneName;
  readonly zoomed: boolean;
  /** The recipe makes pictures. */
  readonly pictures: boolean;
  /** There is more than one metric to draw. */
  readonly secondChart: boolean;
}

/** Whether a terminal of this size gets panes; else numbers, or one line. */
export function layoutKind(columns: number, rows: number): RunLayout['kind'] {
  if (columns < 30 || rows < 5) return 'line';
  return columns < 60 || rows < 15 ? 'numbers' : 'panes';
}

/** Where the panes of a run's screen go. */
export function layoutRun(options: RunLayoutOptions): { tabs: boolean; panes: PlacedPane[] } {
  const { width, height, pane, zoomed } = options;
  if (zoomed) return { tabs: true, panes: [{ pane, left: 0, top: 1, width, height: height - 1 }] };
  if (width >= 140 && height >= 26) return { tabs: false, panes: wide(options) };
  if (width >= 100 && height >= 20) return { tabs: false, panes: medium(options) };
  return { tabs: true, panes: narrow(options) };
}

/** One chart, and below it the focused pane behind tabs; where that is too low, the focused pane alone. */
function narrow({ width, height, pane, pictures }: RunLayoutOptions): PlacedPane[] {
  const room = height - 1;
  if (room < 15) return [{ pane, left: 0, top: 1, width, height: room }];
  const below: PaneName = pane === 'chart' ? (pictures ? 'samples' : 'epochs') : pane;
  const lower = Math.max(7, Math.floor(room * 0.45));
  return [
    { pane: 'chart', left: 0, top: 1, width, height: room - lower },
    { pane: below, left: 0, top: 1 + room - lower, width, height: lower },
  ];
}

function stack(
  panes: readonly (readonly [pane: PlacedPane['pane'], height: number])[],
  left: number,
  width: number,
): PlacedPane[] {
  let top = 0;
  return panes.map(([pane, height]) => {
    const placed = { pane, left, top, width, height };
    top += height;
    return placed;
  });
}

/** Two columns; the log and the epochs share a place. */
function medium({ width, height, pane, pictures, secondChart }: RunLayoutOptions): PlacedPane[] {
  const left = Math.round(width * 0.58);
  const lower = Math.max(7, Math.floor(height * 0.36));
  const system = 8;
  const checkpoints = Math.max(5, Math.min(7, height - system - 9));
  const upper: PlacedPane['pane'] = pictures
    ? 'samples'
    : secondChart
      ? 'chart2'
      : pane === 'log'
        ? 'epochs'
        : 'log';
  return [
    ...stack(
      [
        ['chart', height - lower],
        [pane === 'log' ? 'log' : 'epochs', lower],
      ],
      0,
      left,
    ),
    ...stack(
      [
        [upper, height - system - checkpoints],
        ['checkpoints', checkpoints],
        ['system', system],
      ],
      left,
      width - left,
    ),
  ];
}

/** Everything at once. */
function wide({ width, height, pictures, secondChart }: RunLayoutOptions): PlacedPane[] {
  const left = Math.round(width * 0.6);
  const lower = Math.max(8, Math.floor(height * 0.34));
  const system = 9;
  const checkpoints = Math.max(5, Math.min(8, Math.floor(height * 0.18)));
  const top = height - lower;
  const epochs = Math.min(62, Math.round(left * 0.56));
  const right = width - left;
  const upper: PlacedPane['pane'] | undefined = pictures
    ? 'samples'
    : secondChart
      ? 'chart2'
      : undefined;
  const rightColumn: [PlacedPane['pane'], number][] = upper
    ? [
        [upper, height - system - checkpoints],
        ['checkpoints', checkpoints],
        ['system', system],
      ]
    : [
        ['checkpoints', height - system],
        ['system', system],
      ];
  return [
    { pane: 'chart', left: 0, top: 0, width: left, height: top },
    { pane: 'epochs', left: 0, top, width: epochs, height: lower },
    { pane: 'log', left: epochs, top, width: left - epochs, height: lower },
    ...stack(rightColumn, left, right),
  ];
}
