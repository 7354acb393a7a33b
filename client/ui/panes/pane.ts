import type { RunView } from '../../session/types.ts';
import type { MetricCurves } from '../state/run-curves.ts';
import type { RunUi } from '../state/run-ui.ts';
import type { RevealedSample } from '../state/sample-reveal.ts';
import type { Look } from '../style/look.ts';
import type { Frame, Row } from '../text/line.ts';

/** What every pane of a run's screen is drawn from. */
export interface RunContext {
  readonly view: RunView;
  readonly metrics: readonly MetricCurves[];
  readonly ui: RunUi;
  /** Of the client's monotonic clock, by which the view's times are, too; moves once a second while something is live. */
  readonly now: number;
  readonly look: Look;
  /** The newest sample while it is written row by row; absent where all of it is shown. */
  readonly revealed?: RevealedSample;
  /** The home folder, shown as ~. */
  readonly homeDirectory?: string;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A pane's frame and the rows inside it: any number of them, each exactly as wide as was asked. */
export interface PaneContent {
  readonly frame: Frame;
  readonly rows: readonly Row[];
}

export type Pane = (context: RunContext, size: Size) => PaneContent;

/** The share of a bar's cells that are filled, as `━━━━───`. */
export function bar(
  part: number,
  width: number,
  style: 'accent' | 'good' | 'warning' | 'bad' | 'train',
  { painter, glyphs }: Look,
): Row {
  const filled = Math.round(Math.max(0, Math.min(1, Number.isFinite(part) ? part : 0)) * width);
  return (
    painter.paint(glyphs.barFull.repeat(filled), style) +
    painter.paint(glyphs.barEmpty.repeat(Math.max(0, width - filled)), 'faint')
  );
}
