import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';
import { openEngine } from '../../../../../worker/engine/backend/engine.ts';
import {
  denseGradient,
  type Gradient,
  type Gradients,
  isTableGradient,
} from '../../../../../worker/engine/models/gradients.ts';
import { type Implementation, setBest } from '../../../../../worker/engine/ops/choose.ts';
import {
  type NativeDispatch,
  nativeDispatch,
} from '../../../../../worker/engine/ops/native-dispatch.ts';
import { adam } from '../../../../../worker/engine/optimizers/adam.ts';
import { Optimizer } from '../../../../../worker/engine/optimizers/optimizer.ts';
import { rmsprop } from '../../../../../worker/engine/optimizers/rmsprop.ts';
import { createRandom } from '../../../../../worker/engine/random.ts';
import { applyGradients } from '../../../../../worker/engine/training/apply-gradients.ts';
import { largestDifference, randomTensor } from '../on-each-engine.ts';

const engine = await openEngine();
const hasKernels = engine.kind === 'native' && engine.device === 'cpu';
if (!hasKernels) {
  console.warn('NOT CHECKED: the optimizers’ kernels. Missing: the native engine on a CPU.');
}

/** A table of 50 rows, a variable larger than one piece of a step, and some that fill no vector. */
const shapes = { table: [50, 21], large: [130, 131], kernel: [3, 7], bias: [5], scalar: [] };
type Name = keyof typeof shapes;
const names = Object.keys(shapes) as Name[];

const makeVariables = () =>
  new Map(names.map((name) => [name, tf.variable(randomTensor(name, shapes[name] as [number]))]));

/** Gradients of a step; the table's has 1 to 6 rows, always another few. */
function gradientsAt(step: number): Gradients {
  const random = createRandom(step, 'rows');
  const rows = [...new Set(Array.from({ length: 6 }, () => random.nextBelow(50)))].sort(
    (a, b) => a - b,
  );
  const gradients = names.map((name): [Name, Gradient] => {
    const gradient = randomTensor(`${name} ${step}`, shapes[name] as [number], 0.3);
    return [name, gradient];
  });
  const values = randomTensor<tf.Rank.R2>(`table ${step}`, [rows.length, 21], 0.3);
  return { ...Object.fromEntries(gradients), table: { rows: tf.tensor1d(rows, 'int32'), values } };
}

/** Those of the table are of some rows, of all of them every fifth step, and at each seventh there are none. */
function mixedGradientsAt(step: number): Gradients {
  if (step % 5 === 4) return denseGradientsAt(step);
  const { table, ...others } = gradientsAt(step);
  return table === undefined || step % 7 === 6 ? others : { table, ...others };
}

/** The same gradients with all rows of the table. */
function denseGradientsAt(step: number): Gradients {
  const gradients = gradientsAt(step);
  return Object.fromEntries(
    names.map((name) => [name, denseGradient(gradients[name] as Gradient, shapes[name])]),
  );
}

const formulas = { rmsprop, adam };
const options = { learningRate: 0.01, averageMomentum: 0.9 };

interface Trained {
  readonly variables: Map<Name, tf.Variable>;
  readonly optimizer: Optimizer;
}

function train(
  formula: keyof typeof formulas,
  { steps = 40, clipNorm = 0, gradients = gradientsAt, averageMomentum = 0.9 },
): Trained {
  const variables = makeVariables();
  const optimizer = new Optimizer(formulas[formula](), variables, { ...options, averageMomentum });
  for (let step = 0; step < steps; step++) optimizer.apply(gradients(step), clipNorm);
  return { variables, optimizer };
}

const bits = (tensors: ReadonlyMap<string, tf.Tensor>) =>
  Object.fromEntries([...tensors].map(([name, tensor]) => [name, [...tensor.dataSync()]]));

const state = ({ variables, optimizer }: Trained) => ({
  variables: bits(variables),
  slots: bits(optimizer.slots()),
});

afterEach(() => setBest('best'));

describe.runIf(hasKernels).each(['rmsprop', 'adam'] as const)('%s as one operation', (formula) => {
  it.each([
    ['some rows of the table', 0, gradientsAt],
    ['some rows of the table', 0.5, gradientsAt],
    ['some, all and none of its rows by turns', 0.5, mixedGradientsAt],
  ])(
    'takes the steps of the plain operations, for %s (global norm %s)',
    (_, clipNorm, gradients) => {
      const run = (implementation: Implementation) => {
        setBest(implementation);
        return train(formula, { clipNorm, gradients });
      };
      const [plain, fused] = [run('composed'), run('best')];
      for (const name of names) {
        const [expected, found] = [plain.variables.get(name), fused.variables.get(name)];
        expect(largestDifference(found as tf.Tensor, expected as tf.Tensor), name).toBeLessThan(
          5e-6,
        );
      }
      const slots = fused.optimizer.slots();
      for (const [name, expected] of plain.optimizer.slots()) {
        expect(largestDifference(slots.get(name) as tf.Tensor, expected), name).toBeLessThan(5e-6);
      }
    },
  );

  it('gives a table the same bits from the rows that were read as from its whole gradient', () => {
    const sparse = state(train(formula, {}));
    const dense = state(train(formula, { gradients: denseGradientsAt }));
    expect(sparse.variables.table).toEqual(dense.variables.table);
    for (const [name, values] of Object.entries(sparse.slots)) {
      if (name.includes('/table/')) expect(values, name).toEqual(dense.slots[name]);
    }
  });

  it('comes to the same bits whenever its state is looked at, or restored', () => {
    const whole = state(train(formula, { clipNorm: 1 }));
    for (const look of [1, 17, 39]) {
      const first = train(formula, { clipNorm: 1, steps: look });
      const saved = new Map(
        [...first.optimizer.slots()].map(([name, slot]) => [name, tf.tensor(slot.arraySync())]),
      );
      const resumed = new Optimizer(formulas[formula](), first.variables, options);
      resumed.restore(look, saved);
      const other = train(formula, { clipNorm: 1, steps: look });
      for (let step = look; step < 40; step++) {
        other.optimizer.slots();
        other.optimizer.apply(gradientsAt(step), 1);
        resumed.apply(gradientsAt(step), 1);
      }
      expect(state(other)).toEqual(whole);
      expect(state({ variables: first.variables, optimizer: resumed })).toEqual(whole);
    }
  });

  it('goes on from one implementation to the other', () => {
    const plain = train(formula, {});
    const mixed = train(formula, { steps: 0 });
    for (let step = 0; step < 40; step++) {
      setBest(step % 5 === 3 ? 'composed' : 'best');
      mixed.optimizer.apply(gradientsAt(step));
    }
    for (const name of names) {
      const [expected, found] = [plain.variables.get(name), mixed.variables.get(name)];
      expect(largestDifference(found as tf.Tensor, expected as tf.Tensor), name).toBeLessThan(5e-6);
    }
  });

  it('leaves clones, slots that were cloned and assigned tensors as they were', () => {
    const { variables, optimizer } = train(formula, { steps: 3 });
    const assigned = randomTensor('assigned', [5]);
    variables.get('bias')?.assign(assigned as unknown as tf.Tensor);
    const watched = [...variables.values(), ...optimizer.slots().values()].map((tensor) => ({
      clone: tf.clone(tensor),
      values: [...tensor.dataSync()],
    }));
    for (let step = 3; step < 6; step++) optimizer.apply(gradientsAt(step));
    for (const { clone, values } of watched) expect([...clone.dataSync()]).toEqual(values);
    expect([...assigned.dataSync()]).toEqual([...randomTensor('assigned', [5]).dataSync()]);
    const now = [...(variables.get('bias')?.dataSync() ?? [])];
    expect(now).not.toEqual([...assigned.dataSync()]);
  });

  it('keeps no tensor beyond its slots', () => {
    const { variables, optimizer } = train(formula, { steps: 3 });
    const gradients = gradientsAt(7);
    optimizer.apply(gradients, 1);
    const before = [tf.memory().numTensors, engine.liveTensors()];
    for (let step = 0; step < 20; step++) optimizer.apply(gradients, 1);
    expect([tf.memory().numTensors, engine.liveTensors()]).toEqual(before);
    optimizer.dispose();
    tf.dispose([...variables.values()]);
  });

  it('shows averages while a body runs, and the weights again when it fails', async () => {
    const trained = train(formula, {});
    const before = state(trained);
    const seen = await trained.optimizer.withAverages(async () => bits(trained.variables));
    for (const name of names) {
      expect(seen[name]).toEqual(before.slots[`${formula}/${name}/average`]);
      expect(seen[name]).not.toEqual(before.variables[name]);
    }
    await expect(
      trained.optimizer.withAverages(() => Promise.reject(new Error('stopped'))),
    ).rejects.toThrow('stopped');
    expect(state(trained)).toEqual(before);
  });

  it('refuses gradients of another shape and rows that the table has not, by their names', () => {
    const { optimizer } = train(formula, { steps: 1 });
    const wrong = { ...gradientsAt(1), kernel: tf.zeros([7, 3]) };
    expect(() => optimizer.apply(wrong)).toThrow(
      /Teletrain\w+: argument gradients\[\d\] has the shape \[7, 3\], not \[3, 7\]/,
    );
    const table = gradientsAt(1).table as Gradient;
    if (!isTableGradient(table)) throw new Error('The table’s gradient is of its rows.');
    const rows = tf.tensor1d(
      Array.from({ length: table.rows.size }, (_, i) => 49 + i),
      'int32',
    );
    const beyond = { ...gradientsAt(1), table: { ...table, rows } };
    expect(() => optimizer.apply(beyond)).toThrow(/argument rows\[0\] holds rows/);
  });

  it.each([1, 3])('refuses %s averages of two variables', (averaged) => {
    const native = nativeDispatch() as NativeDispatch;
    const lists = (formula === 'rmsprop' ? 3 : 4) * 2;
    const given = Array.from({ length: lists + averaged }, () => tf.zeros([4]));
    const attributes = Object.entries({ variables: 2, averaged, tables: 0 }).map(([name, count]) =>
      native.intAttribute(name, count),
    );
    const operation = { rmsprop: 'TeletrainRMSprop', adam: 'TeletrainAdam' }[formula];
    const inputs = [tf.zeros([7]), tf.scalar(0, 'int32'), ...given];
    expect(() => native.runOnTensors(operation, attributes, inputs, 0)).toThrow(
      `${operation}: argument averages[0] is of a list of ${averaged}, not of one for each of 2`,
    );
  });

  it('leaves no gradient behind where it refuses one', () => {
    const { optimizer } = train(formula, { steps: 1 });
    const wrong: Gradients = { ...gradientsAt(1), kernel: tf.zeros([7, 3]) };
    expect(() => applyGradients(optimizer, wrong, 0)).toThrow('argument gradients');
    for (const gradient of Object.values(wrong)) {
      const tensors = isTableGradient(gradient) ? [gradient.rows, gradient.values] : [gradient];
      expect(tensors.filter((tensor) => !tensor.isDisposed)).toEqual([]);
    }
  });
});
