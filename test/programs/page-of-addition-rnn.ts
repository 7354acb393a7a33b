/**
 * The page that tfjs-examples' addition-rnn is written for, as far as the program uses it: its form's
 * fields, a button that is pressed once, and tfjs-vis' charts, of which the last points are printed.
 */
import { registerHooks } from 'node:module';
import { isMainThread } from 'node:worker_threads';

interface Point {
  readonly y: number;
}

class Field {
  value: string;
  textContent = '';
  innerHTML = '';
  selectedIndex = 0;
  readonly options = [{ getAttribute: () => 'SimpleRNN' }];

  constructor(value: string) {
    this.value = value;
  }

  addEventListener(_event: 'click', listener: () => unknown): void {
    setImmediate(listener);
  }
}

const form: Readonly<Record<string, string>> = {
  digits: '2',
  trainingSize: '5000',
  rnnLayers: '1',
  rnnLayerSize: '128',
  batchSize: '128',
  trainIterations: '60',
  numTestExamples: '5',
};
const fields = new Map<string, Field>();

const page = {
  getElementById: (id: string): Field => {
    const field = fields.get(id) ?? new Field(form[id] ?? '');
    fields.set(id, field);
    return field;
  },
};

const charts = {
  linechart: (
    _container: Field,
    { values }: { values: readonly (readonly Point[])[] },
    { yLabel }: { yLabel: string },
  ): void => {
    console.log(`validation ${yLabel} ${values[1]?.at(-1)?.y}`);
  },
};

if (isMainThread) {
  Object.assign(globalThis, { document: page, tfvisRender: charts });
  registerHooks({
    resolve: (specifier, context, nextResolve) =>
      specifier === '@tensorflow/tfjs-vis'
        ? {
            url: 'data:text/javascript,export const render = globalThis.tfvisRender',
            shortCircuit: true,
          }
        : nextResolve(specifier, context),
  });
}
