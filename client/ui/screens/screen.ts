import { smoothingWeights } from '../charts/smoothing.ts';
import { helpRows } from '../keys/help.ts';
import type { Dashboard } from '../state/dashboard.ts';
import { refusedKeys } from '../state/refused-keys.ts';
import { batchesOf } from '../state/run-curves.ts';
import { smoothingOf } from '../state/run-ui.ts';
import type { Look } from '../style/look.ts';
import { fill, type Line, paintLine, type Row } from '../text/line.ts';
import { printable, toAscii, wrapWords } from '../text/width.ts';
import { dialogOverlay, type Overlay } from './dialog-rows.ts';
import { homeScreenRows } from './home-screen.ts';
import { runScreenRows } from './run-screen.ts';
import { startScreenRows } from './start-screen.ts';

export interface DrawnScreen {
  /** Exactly as many rows, and each exactly as wide, as the terminal. */
  readonly rows: readonly Row[];
  readonly overlay?: Overlay;
}

/** Everything on the screen now. */
export function drawScreen(
  dashboard: Dashboard,
  size: { columns: number; rows: number },
  look: Look,
): DrawnScreen {
  const drawn = draw(dashboard, size, look);
  if (look.glyphs.unicode) return drawn;
  const { overlay } = drawn;
  return {
    rows: drawn.rows.map(toAscii),
    ...(overlay ? { overlay: { ...overlay, rows: overlay.rows.map(toAscii) } } : {}),
  };
}

function draw(
  dashboard: Dashboard,
  size: { columns: number; rows: number },
  look: Look,
): DrawnScreen {
  const { columns, rows } = size;
  if (dashboard.help !== undefined) return { rows: helpScreen(dashboard, size, look) };
  const base = baseRows(dashboard, size, look);
  return dashboard.dialog
    ? { rows: base, overlay: dialogOverlay(dashboard.dialog, columns, rows, look) }
    : { rows: base };
}

function baseRows(
  dashboard: Dashboard,
  { columns, rows }: { columns: number; rows: number },
  look: Look,
): Row[] {
  const { screen, problem } = dashboard;
  const notice: Line | undefined = dashboard.notice && [
    [dashboard.notice.text, dashboard.notice.style],
  ];
  const shared = { columns, rows, ...(notice === undefined ? {} : { notice }) };
  const alerts = problem ? problemRows(problem, columns, look) : [];
  switch (screen.kind) {
    case 'home':
      return homeScreenRows(
        dashboard.home,
        { ...shared, alerts, now: dashboard.clock.now() },
        look,
      );
    case 'start':
      return startScreenRows(screen.form, { ...shared, alerts }, look);
    case 'run': {
      const { feed, curves } = screen;
      const { view, frozenChanges } = feed;
      const weight = smoothingWeights[smoothingOf(dashboard.ui, batchesOf(view))] ?? 0;
      const context = {
        view,
        metrics: curves.update(view, weight),
        ui: dashboard.ui,
        now: feed.now,
        ...(feed.revealed && { revealed: feed.revealed }),
        look,
      };
      const drawn = runScreenRows(context, {
        ...shared,
        rows: rows - alerts.length,
        ...(frozenChanges === undefined ? {} : { frozen: frozenChanges }),
      });
      return [...alerts, ...drawn];
    }
  }
}

/** What happened and what to do, until Esc. */
function problemRows(
  { message, hint }: { message: string; hint: string },
  columns: number,
  look: Look,
): Row[] {
  const lines = wrapWords(printable(`${message} ${hint}`), Math.max(8, columns - 12)).slice(0, 3);
  return lines.map((text, index) =>
    paintLine(
      [
        [index === 0 ? ` ${look.glyphs.cross} ` : '   ', 'badStrong'],
        [text, 'bad'],
        ...(index === lines.length - 1 ? ([['   Esc', 'key']] satisfies Line) : []),
      ],
      columns,
      look.painter,
    ),
  );
}

function helpScreen(
  dashboard: Dashboard,
  { columns, rows }: { columns: number; rows: number },
  look: Look,
): Row[] {
  const hidden = refusedKeys(dashboard);
  const all = helpRows(dashboard.keyContext, Math.max(1, columns - 2), look, hidden);
  const height = rows - 3;
  const from = Math.max(0, Math.min(dashboard.help ?? 0, all.length - height));
  const shown = all.slice(from, from + height).map((row) => ` ${row} `);
  const more =
    all.length > height
      ? `lines ${from + 1} to ${Math.min(all.length, from + height)} of ${all.length}, ${look.glyphs.unicode ? '↑ ↓' : 'Up Down'} scroll`
      : '';
  return [
    paintLine([[' keys', 'accentStrong']], columns, look.painter),
    paintLine([], columns, look.painter),
    ...fill(shown, columns, height),
    paintLine(
      [
        [' Esc', 'key'],
        [' back', 'label'],
        [more === '' ? '' : `   ${more}`, 'label'],
      ],
      columns,
      look.painter,
    ),
  ];
}
