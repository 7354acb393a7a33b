import type { Tensor } from '@tensorflow/tfjs-core';
import type { ImplementationName, LayerName } from '../../../shared/engine-report.ts';
import type { ProbeSize } from './sizes.ts';

/** A layer as a function of tensors, of which all are differentiated; it gives several tensors. */
export type LayerFunction = (...inputs: Tensor[]) => Tensor[];

/** One way to compute a layer. */
export interface Candidate {
  readonly name: ImplementationName;
  readonly at: (size: ProbeSize) => LayerFunction;
}

export interface NamedShape {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface ProbedLayer {
  readonly layer: LayerName;
  /** Of what the layer is a function, in its order. */
  readonly inputs: (size: ProbeSize) => readonly NamedShape[];
  /** What it gives, in its order. */
  readonly results: (size: ProbeSize) => readonly NamedShape[];
  /** In the order in which they are preferred. */
  readonly candidates: readonly Candidate[];
  /** What all candidates are compared with, on whatever backend is set. */
  readonly reference: Candidate['at'];
}
