import * as tf from '@tensorflow/tfjs-core';
import type { AttributeValue } from '../../../shared/tensors/commands.ts';
import type { KernelName } from '../../../shared/tensors/kernels.ts';
import { outputsOf } from '../../../shared/tensors/output-shapes/outputs.ts';

type Attributes = Readonly<Record<string, AttributeValue>>;
type Inputs = readonly (tf.TensorInfo | null)[];

type Given = tf.TensorInfo | null | undefined;
type ForwardCall = readonly [forward: KernelName, inputs: readonly Given[], dy: Given];
type FindForward = (inputs: Inputs, attributes: Attributes) => ForwardCall;

/** Gradients whose loops are as long as the forward kernel's output: that, and what its inputs were. */
const forwardOf: Partial<Record<KernelName, FindForward>> = {
  Conv2DBackpropFilter: ofFilter('Conv2D'),
  Conv2DBackpropInput: ofInput('Conv2D'),
  DepthwiseConv2dNativeBackpropFilter: ofFilter('DepthwiseConv2dNative'),
  DepthwiseConv2dNativeBackpropInput: ofInput('DepthwiseConv2dNative'),
  Conv3DBackpropFilterV2: ofFilter('Conv3D'),
  Conv3DBackpropInputV2: ofInput('Conv3D'),
  AvgPoolGrad: ofPooled('AvgPool'),
  MaxPoolGrad: ofPooled('MaxPool'),
  AvgPool3DGrad: ofPooled('AvgPool3D'),
  MaxPool3DGrad: ofPooled('MaxPool3D'),
  Dilation2DBackpropInput: ofDilated,
  Dilation2DBackpropFilter: ofDilated,
};

/** A convolution's gradient by its filter, of which it is given the shape. */
function ofFilter(forward: KernelName): FindForward {
  return ([x, dy], { filterShape }) => [forward, [x, like(x, filterShape)], dy];
}

/** A convolution's gradient by its input, of which it is given the shape. */
function ofInput(forward: KernelName): FindForward {
  return ([dy, filter], { inputShape }) => [forward, [like(dy, inputShape), filter], dy];
}

function ofPooled(forward: KernelName): FindForward {
  return ([dy, input]) => [forward, [input], dy];
}

function ofDilated([x, filter, dy]: Inputs): ForwardCall {
  return ['Dilation2D', [x, filter], dy];
}

const windowed = /^(Fused)?(Depthwise)?Conv|^(Avg|Max)Pool|^Dilation2D/;

/**
 * What TensorFlow refuses and tfjs' own JavaScript would work on without an end: windows that do not
 * move on, and a gradient that is not of the shape that the forward kernel gives.
 * @throws Error saying which.
 */
export function requireWindow(name: KernelName, inputs: Inputs, attributes: Attributes): void {
  if (!windowed.test(name)) return;
  for (const key of ['strides', 'dilations', 'filterSize']) {
    const value = attributes[key];
    if (value !== undefined && !isPositive(value)) throw new Error(`${key} is not positive.`);
  }
  const call = forwardOf[name]?.(inputs, attributes);
  if (!call) return;
  const [forward, given, dy] = call;
  // Some gradients are not told of dilations, since with them there is none.
  const undilated = { dilations: 1, ...attributes };
  // The types of tfjs know nothing of lists of lists; an input that is missing is refused by the rule.
  const made = outputsOf(
    forward,
    given as tf.TensorInfo[],
    undilated as unknown as tf.NamedAttrMap,
  );
  const shape = made?.[0]?.shape;
  if (!dy || !shape || !tf.util.arraysEqual([...shape], dy.shape)) {
    throw new Error(
      `dy has shape [${dy?.shape}], and [${shape}] is that of what it is a gradient of.`,
    );
  }
}

function like(tensor: Given, shape: AttributeValue | undefined): Given {
  // A shape that is no list of numbers fails in the rule that reads it.
  return tensor && { ...tensor, shape: shape as number[] };
}

function isPositive(value: AttributeValue): boolean {
  const list = Array.isArray(value) ? value : [value];
  return (
    list.length > 0 &&
    list.every((one) => typeof one === 'number' && Number.isInteger(one) && one > 0)
  );
}
