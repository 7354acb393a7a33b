import * as tf from '@tensorflow/tfjs-core';
import { isKernelName } from '../../shared/tensors/kernels.ts';

/** Of one computation of gradients by tfjs: the steps that led to the value. */
type Tape = NonNullable<ReturnType<typeof tf.engine>['state']['activeTape']>;

let examined: Tape | undefined;
let isOfTfjs = false;

/**
 * What the kernels have in common that tfjs runs to compute gradients from the one that was asked for:
 * all come from the same line of the program, the one that asked for the gradients. Undefined at any
 * other time, where gradients are taken of gradients, and where the program computes some of them itself
 * (`tf.customGrad`), by lines of its own.
 */
export function backwardPass(): object | undefined {
  const { activeTape: tape, gradientDepth, scopeStack } = tf.engine().state;
  // The tape is kept from the function's end to the pass', and for ever where that threw.
  if (!tape || gradientDepth > 0 || !scopeStack.some(({ name }) => name === 'backward')) {
    return undefined;
  }
  if (tape !== examined) {
    examined = tape;
    isOfTfjs = tape.every(isTfjsOwn);
  }
  return isOfTfjs ? tape : undefined;
}

/** A kernel, an operation, or a copy; what is none has the name of the program's scope. */
function isTfjsOwn({ kernelName: name, inputs, outputs }: Tape[number]): boolean {
  if (isKernelName(name) || name.endsWith('__op')) return true;
  const [output] = outputs;
  return outputs.length === 1 && Object.values(inputs).some((x) => x.dataId === output?.dataId);
}
