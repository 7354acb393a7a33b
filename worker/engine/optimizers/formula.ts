import type * as tf from '@tensorflow/tfjs-core';

/** What a formula keeps of a variable. */
export type Slot = 'velocity' | 'momentum';

/** One step, as an optimizer's formula sees it. */
export interface FormulaStep {
  readonly learningRate: number;
  /** From 1. */
  readonly step: number;
}

/** The numbers that our kernels take. */
export interface KernelNumbers {
  /** With Adam's correction of its means' bias. */
  readonly learningRate: number;
  readonly velocityDecay: number;
  readonly velocityRest: number;
  /** 0 where there is no momentum. */
  readonly momentumRest: number;
  readonly epsilon: number;
}

/** How an optimizer changes a variable, by plain tfjs operations and as our kernel's arguments. */
export interface Formula {
  /** First part of its slots' names. */
  readonly name: 'rmsprop' | 'adam';
  readonly slots: readonly Slot[];
  /** The kernel that takes a step of all variables in one call. */
  readonly kernel: 'TeletrainRMSprop' | 'TeletrainAdam';
  kernelNumbers(step: FormulaStep): KernelNumbers;
  /** Updates one variable and its slots by plain operations. */
  update(
    variable: tf.Variable,
    slot: (name: Slot) => tf.Variable,
    gradient: tf.Tensor,
    step: FormulaStep,
  ): void;
}
