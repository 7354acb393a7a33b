import * as tf from '@tensorflow/tfjs-core';
import { type Gradient, isTableGradient } from '../models/gradients.ts';
import type { NativeDispatch, NativeTensor } from '../ops/native-dispatch.ts';
import type { Formula, KernelNumbers } from './formula.ts';
import { OwnMemory } from './own-memory.ts';

/** A variable, what the optimizer keeps of it and its gradient. */
export interface OptimizedVariable {
  readonly name: string;
  readonly variable: tf.Variable;
  readonly velocity: tf.Variable;
  readonly momentum?: tf.Variable;
  readonly average?: tf.Variable;
}

export interface KernelStep {
  readonly numbers: KernelNumbers;
  /** Steps before this one. */
  readonly iterations: number;
  /** 0: not clipped. */
  readonly clipNorm: number;
  readonly averageMomentum: number;
}

interface SettledTable {
  readonly table: OptimizedVariable;
  /** int32 [rows]: how many steps each row has seen. */
  readonly settled: tf.Variable;
}

/**
 * An optimizer's steps by our own kernel, all variables, the clipping and the averages in one call.
 *
 * RMSprop leaves the rows of a table that a step did not read as they lie: without a gradient their
 * weights stay, their velocity decays by rho, and their average moves towards the weights. How many
 * steps a row has seen is kept, and it makes up for those that it missed, one by one, when it is next
 * updated, when its table's whole gradient or none at all is given, or when `settle` is called; so the
 * numbers do not depend on when that was. Adam moves every row at every step and so updates all of them
 * (the kernel's source says why).
 */
export class KernelSteps {
  readonly #native: NativeDispatch;
  readonly #formula: Formula;
  readonly #memory: OwnMemory;
  /** Tables some rows of which may have missed steps, by their names. */
  readonly #settled = new Map<string, SettledTable>();

  constructor(native: NativeDispatch, formula: Formula) {
    this.#native = native;
    this.#formula = formula;
    this.#memory = new OwnMemory(native);
  }

  get native(): NativeDispatch {
    return this.#native;
  }

  step(
    updated: readonly (OptimizedVariable & { readonly gradient: Gradient })[],
    step: KernelStep,
  ) {
    const tables = updated.filter(({ gradient }) => isTableGradient(gradient));
    const variables = [...tables, ...updated.filter(({ gradient }) => !isTableGradient(gradient))];
    const sparse = new Set(tables.map(({ name }) => name));
    this.#settleTables(step, (name) => !sparse.has(name));
    const own = (tensor: tf.Variable | undefined) => (tensor ? [this.#memory.of(tensor)] : []);
    const averages = variables.flatMap(({ average }) => own(average));
    const settled = this.#formula.name === 'rmsprop' ? tables : [];
    this.#run(
      this.#formula.kernel,
      [
        this.#native.intAttribute('variables', variables.length),
        this.#native.intAttribute('averaged', averages.length),
        this.#native.intAttribute('tables', tables.length),
      ],
      [
        ...variables.map(({ gradient }) =>
          this.#native.borrow(isTableGradient(gradient) ? gradient.values : gradient),
        ),
        ...variables.map(({ variable }) => this.#memory.of(variable)),
        ...variables.map(({ velocity }) => this.#memory.of(velocity)),
        ...variables.flatMap(({ momentum }) => own(momentum)),
        ...averages,
        ...tables.flatMap(({ gradient }) =>
          isTableGradient(gradient) ? [this.#native.borrow(gradient.rows)] : [],
        ),
        ...settled.map((table) => this.#memory.of(this.#settledOf(table, step.iterations))),
      ],
      step,
    );
  }

  /** Brings all rows of all tables to `step.iterations`. */
  settle(step: KernelStep): void {
    this.#settleTables(step, () => true);
  }

  /** Takes every row for settled, as after a restored checkpoint. */
  forget(): void {
    for (const { settled } of this.#settled.values()) settled.dispose();
    this.#settled.clear();
  }

  #settleTables(step: KernelStep, isWanted: (name: string) => boolean): void {
    for (const [name, { table, settled }] of this.#settled) {
      if (isWanted(name)) {
        const { variable, velocity, average } = table;
        this.#run(
          'TeletrainRMSpropSettle',
          [this.#native.boolAttribute('averaged', average !== undefined)],
          [variable, velocity, average ?? velocity, settled].map((own) => this.#memory.of(own)),
          step,
        );
        settled.dispose();
        this.#settled.delete(name);
      }
    }
  }

  #settledOf(table: OptimizedVariable, iterations: number): tf.Variable {
    const { name, variable } = table;
    const known = this.#settled.get(name);
    if (known) return known.settled;
    const rows = variable.shape[0] as number;
    const made = tf.tidy(() => tf.variable(tf.fill([rows], iterations, 'int32'), false));
    this.#settled.set(name, { table, settled: made });
    return made;
  }

  #run(
    kernel: string,
    attributes: Parameters<NativeDispatch['runMany']>[1],
    inputs: readonly NativeTensor[],
    { numbers, iterations, clipNorm, averageMomentum }: KernelStep,
  ): void {
    const given = [
      this.#native.float32([
        numbers.learningRate,
        numbers.momentumRest,
        numbers.velocityDecay,
        numbers.velocityRest,
        numbers.epsilon,
        clipNorm,
        averageMomentum,
      ]),
      this.#native.int32(iterations),
    ];
    try {
      this.#native.runMany(kernel, attributes, [...given, ...inputs], 0);
    } finally {
      for (const tensor of given) this.#native.release(tensor);
    }
  }
}
