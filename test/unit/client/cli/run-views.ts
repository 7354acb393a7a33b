import type { RunView, Series } from '../../../../client/session/types.ts';

/** A run as a command sees it; what is not given is as at its very start. */
export function runView(given: Partial<RunView>): RunView {
  return {
    version: 1,
    record: {
      format: 1,
      id: 'r',
      recipe: 'imdb-lstm',
      settings: {},
      quick: false,
      createdAt: 0,
      version: '0.1.0',
    },
    directory: '/runs/r',
    state: 'running',
    epochs: 2,
    patience: 0,
    step: 0,
    epoch: 0,
    stepsPerEpoch: 10,
    parameters: 0,
    differs: [],
    series: new Map(),
    epochsDone: [],
    samples: [],
    checkpoints: [],
    log: [],
    lastSeq: 0,
    connection: { kind: 'connected', since: 0, restarted: false },
    ...given,
  };
}

type Point = readonly [split: Series['split'], name: string, epoch: number, value: number];

/** The view with these metrics of ended epochs. */
export function withMetrics(view: RunView, points: readonly Point[]): RunView {
  const series = new Map<string, Series>();
  for (const [split, name] of points) {
    const own = points.filter(
      ([otherSplit, otherName]) => otherSplit === split && otherName === name,
    );
    const column = (read: (point: Point) => number) => Float64Array.from(own, read);
    series.set(`${split}/${name}/epoch`, {
      name,
      split,
      per: 'epoch',
      length: own.length,
      steps: column(([, , epoch]) => epoch * view.stepsPerEpoch),
      epochs: column(([, , epoch]) => epoch),
      times: column(() => 0),
      values: column(([, , , value]) => value),
    });
  }
  return { ...view, series };
}
