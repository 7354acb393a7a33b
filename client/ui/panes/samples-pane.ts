import { formatCount } from '../formatting.ts';
import { gridLayout, gridRows } from '../pictures/grid.ts';
import { pictureKind } from '../pictures/picture.ts';
import type { Line } from '../text/line.ts';
import { paintLine } from '../text/line.ts';
import { printable } from '../text/width.ts';
import type { Pane } from './pane.ts';

/**
 * Pictures that the model made: the newest, also while they are being drawn, or those of an earlier
 * step.
 */
export const samplesPane: Pane = ({ view, ui, look, revealed }, size) => {
  const focused = ui.pane === 'samples';
  const { glyphs, painter } = look;
  const total = view.samples.length;
  const index = total - 1 - Math.min(ui.sampleBack, Math.max(0, total - 1));
  // Who looks at earlier pictures is not torn away from them.
  const drawing = ui.sampleBack === 0 ? view.drawing : undefined;
  const sample = drawing ?? view.samples[index];
  const written = view.samples[index]?.seq === revealed?.seq ? revealed?.rows : undefined;
  const knownRows = drawing?.rows ?? written;
  const title: Line = [['samples', focused ? 'accentStrong' : 'strong']];
  if (!sample) {
    const message = view.record.recipe.startsWith('digits')
      ? 'The first pictures come after the first steps.'
      : 'This recipe makes no pictures.';
    return {
      frame: { title, focused },
      rows: [paintLine([[message, 'label']], size.width, painter)],
    };
  }
  const layout = gridLayout(sample, size.width, size.height - 1, pictureKind(look));
  const page = Math.max(1, layout.columns * layout.rows);
  const from = Math.min(
    ui.pictureFrom * Math.max(1, layout.columns),
    Math.max(0, Math.ceil((sample.count - page) / Math.max(1, layout.columns)) * layout.columns),
  );
  const grid = gridRows(
    {
      count: sample.count,
      width: sample.width,
      height: sample.height,
      givenRows: sample.givenRows,
      ...(knownRows !== undefined && { knownRows }),
      pixels: sample.pixels(),
    },
    { width: size.width, height: size.height - 1 },
    look,
    from,
  );
  const coloured = painter.depth === 8 || painter.depth === 24;
  const caption: Line = [
    ...(drawing
      ? ([[`drawing row ${drawing.rows + 1} of ${drawing.height}  `, 'accent']] satisfies Line)
      : []),
    ...(drawing === undefined && written !== undefined
      ? ([['shown row by row  ', 'accent']] satisfies Line)
      : []),
    [printable(sample.name), 'label'],
    [
      `  ${grid.shown < sample.count ? `${from + 1}–${from + grid.shown} of ${sample.count}` : sample.count}`,
      'label',
    ],
    ...(sample.givenRows > 0
      ? ([
          ['  '],
          [coloured ? 'blue' : 'dim', coloured ? 'train' : 'label'],
          [' given', 'label'],
        ] satisfies Line)
      : []),
  ];
  return {
    frame: {
      title: [
        ...title,
        ['  step ', 'label'],
        [formatCount(sample.step)],
        [`  epoch ${sample.epoch}`, 'label'],
      ],
      note:
        total > 1
          ? [
              [
                `${glyphs.left} ${index + 1}/${total} ${glyphs.right}`,
                index === total - 1 ? 'label' : 'accent',
              ],
            ]
          : [],
      focused,
    },
    rows: [...grid.rows, paintLine(caption, size.width, painter)],
  };
};
