import { recipeNames, recipes } from '../../../shared/recipes.ts';
import type { RunListItem } from '../../session/types.ts';
import { formatAgo, formatMetric } from '../formatting.ts';
import { hintRow } from '../keys/hints.ts';
import { stateSpan } from '../panes/header.ts';
import type { Size } from '../panes/pane.ts';
import {
  chosenWorker,
  type HomeList,
  type HomeState,
  homeLists,
  isObserved,
} from '../state/home.ts';
import { refusedAtHome } from '../state/refused-keys.ts';
import { unheardMs } from '../state/stale-run.ts';
import type { Look } from '../style/look.ts';
import type { StyleName } from '../style/theme.ts';
import {
  fill,
  frameRows,
  insideFrame,
  joinFitting,
  type Line,
  paintBetween,
  paintLine,
  type Row,
} from '../text/line.ts';
import { printable, truncate, wrapWords } from '../text/width.ts';
import { pointer, windowed } from './list-rows.ts';
import { workerRows } from './worker-rows.ts';

export interface HomeScreenOptions {
  readonly columns: number;
  readonly rows: number;
  /** Milliseconds since 1970: runs are listed with when they began. */
  readonly now: number;
  readonly notice?: Line;
  /** Lines about an error, above the lists. */
  readonly alerts: readonly Row[];
}

/** Recipes, runs and workers, as exactly `rows` rows of `columns` cells. */
export function homeScreenRows(home: HomeState, options: HomeScreenOptions, look: Look): Row[] {
  const { columns, rows, now, alerts } = options;
  const header = paintBetween(
    [
      [' teletrain', 'accentStrong'],
      ['  train here or on a GPU far away', 'label'],
    ],
    [[summary(home), 'label'], [' ']],
    columns,
    look.painter,
  );
  const words = { 'home.open': openWord(home) };
  const footer = options.notice
    ? paintLine([[' '], ...options.notice], columns, look.painter)
    : ` ${hintRow('home', columns - 1, look, words, refusedAtHome(home))}`;
  const height = rows - 2 - alerts.length;
  const draw = (list: HomeList, size: Size): Row[] => listRows(home, list, size, now, look);
  let body: Row[];
  if (columns >= 110 && height >= 18) {
    const left = Math.round(columns * 0.44);
    const upper = Math.min(height - 7, 17);
    const recipesAndWorkers = [
      ...draw('recipes', { width: left, height: upper }),
      ...draw('workers', { width: left, height: height - upper }),
    ];
    const runs = draw('runs', { width: columns - left, height });
    body = recipesAndWorkers.map((row, index) => row + (runs[index] ?? ''));
  } else if (height >= 22 && columns >= 46) {
    const recipesHeight = 10;
    const workersHeight = Math.max(4, Math.min(6, 2 + (home.workers?.length ?? 1)));
    body = [
      ...draw('recipes', { width: columns, height: recipesHeight }),
      ...draw('runs', { width: columns, height: height - recipesHeight - workersHeight }),
      ...draw('workers', { width: columns, height: workersHeight }),
    ];
  } else {
    const tabs = homeLists.map(
      (list, index): Line => [
        [`${index + 1}`, list === home.list ? 'accentStrong' : 'key'],
        [` ${list}`, list === home.list ? 'accentStrong' : 'label'],
      ],
    );
    body = [
      paintLine([[' '], ...joinFitting(tabs, ['  '], columns - 1)], columns, look.painter),
      ...draw(home.list, { width: columns, height: height - 1 }),
    ];
  }
  return [header, ...alerts, ...fill(body, columns, height), footer];
}

/** What Enter does. */
function openWord(home: HomeState): string {
  if (home.list !== 'workers') return home.list === 'recipes' ? 'set up' : 'open';
  const worker = chosenWorker(home);
  return worker && isObserved(home, worker) ? 'watch' : 'train there';
}

function summary({ runs, workers }: HomeState): string {
  if (!runs || !workers) return 'looking…';
  const count = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`;
  return `${count(runs.length, 'run')}, ${count(workers.length, 'worker')}`;
}

function listRows(home: HomeState, list: HomeList, size: Size, now: number, look: Look): Row[] {
  const inside = insideFrame(size.width, size.height);
  const focused = home.list === list;
  const rows =
    list === 'recipes'
      ? recipeRows(home, inside, focused, look)
      : list === 'runs'
        ? runRows(home, inside, focused, now, look)
        : workerRows(home, inside, focused, look);
  const number = homeLists.indexOf(list) + 1;
  return frameRows(
    rows,
    {
      title: [
        [`${number} `, 'label'],
        [list, focused ? 'accentStrong' : 'strong'],
      ],
      focused,
    },
    size.width,
    size.height,
    look,
  );
}

function recipeRows(home: HomeState, { width, height }: Size, focused: boolean, look: Look): Row[] {
  const chosenIndex = home.chosen.recipes;
  const nameWidth = Math.max(...recipeNames.map((name) => name.length)) + 2;
  const oneLine = width >= nameWidth + 40;
  const rows: Line[] = recipeNames.map((name, index) => {
    const chosen = index === chosenIndex;
    const nameStyle: StyleName = chosen && focused ? 'accentStrong' : chosen ? 'strong' : 'plain';
    return [
      pointer(chosen, focused, look),
      [name.padEnd(oneLine ? nameWidth : 0), nameStyle],
      ...(oneLine ? ([[recipes[name].title, 'label']] satisfies Line) : []),
    ];
  });
  const chosen = recipeNames[chosenIndex];
  if (chosen && height >= rows.length + 3) {
    const { title, description } = recipes[chosen];
    rows.push([]);
    const lines = [
      ...(oneLine ? [] : wrapWords(title, width - 2)),
      ...wrapWords(description, width - 2),
    ];
    for (const line of lines) rows.push([['  '], [line, 'label']]);
    const quick = Object.entries(recipes[chosen].quick).map(([key, value]) => `${key} ${value}`);
    if (rows.length + 2 < height) {
      rows.push([]);
      for (const line of wrapWords(`quick: ${quick.join(', ')}`, width - 2))
        rows.push([['  '], [line, 'label']]);
    }
  }
  return rows.map((line) => paintLine(line, width, look.painter));
}

interface RunColumn {
  readonly title: string;
  /** With the space in front of it. */
  readonly width: number;
  readonly right?: true;
  cell(run: RunListItem): Line[number];
}

const stateWidth = 14;

/** In the order in which they are left out where there is less room: the last go first. */
const runColumns = (room: number, now: number, look: Look): readonly RunColumn[] => [
  {
    title: 'recipe',
    // A name alone tells no run from another of its recipe: the state keeps its place.
    width: Math.max(12, Math.min(25, room - stateWidth)),
    cell: ({ record }) => [record.recipe],
  },
  {
    title: 'state',
    width: stateWidth,
    // Its last known state, with a doubt.
    cell: (run) =>
      unheardMs(run, now) === undefined
        ? stateSpan(run, look)
        : [`${look.glyphs.ring} ${run.state}?`, 'label'],
  },
  {
    title: 'started',
    width: 13,
    cell: ({ record }) => [formatAgo(now - record.createdAt), 'label'],
  },
  { title: 'epoch', width: 7, right: true, cell: ({ epoch, epochs }) => [`${epoch}/${epochs}`] },
  {
    title: 'best loss',
    width: 11,
    right: true,
    cell: ({ bestLoss }) => [
      bestLoss === undefined ? (look.glyphs.unicode ? '–' : '-') : formatMetric(bestLoss),
    ],
  },
  { title: '  worker', width: 14, cell: ({ worker }) => [`  ${printable(worker ?? '')}`, 'label'] },
];

function runRows(
  { runs, chosen }: HomeState,
  { width, height }: Size,
  focused: boolean,
  now: number,
  look: Look,
): Row[] {
  if (!runs) return [paintLine([['looking…', 'label']], width, look.painter)];
  if (runs.length === 0)
    return [
      paintLine([['No run yet. Choose a recipe and press Enter.', 'label']], width, look.painter),
    ];
  let room = width - 2;
  const columns = runColumns(room, now, look).filter((column) => {
    room -= column.width;
    return room >= 0;
  });
  const place = ([text, style]: Line[number], column: RunColumn): Line[number] => {
    const short = truncate(text, column.width - 1);
    const padded = column.right ? short.padStart(column.width) : short.padEnd(column.width);
    return style === undefined ? [padded] : [padded, style];
  };
  const header: Line = [['  '], ...columns.map((column) => place([column.title, 'label'], column))];
  const { from, shown } = windowed(runs, chosen.runs, height - 1);
  const rows = shown.map((run, index): Line => {
    const isChosen = from + index === chosen.runs;
    return [
      pointer(isChosen, focused, look),
      ...columns.map((column) => {
        const cell = place(column.cell(run), column);
        return column.title === 'recipe' && isChosen && focused
          ? ([cell[0], 'accentStrong'] as const)
          : cell;
      }),
    ];
  });
  return [header, ...rows].map((line) => paintLine(line, width, look.painter));
}
