import * as tf from '@tensorflow/tfjs-core';
import type { AttributeValue } from '../../../shared/tensors/commands.ts';
import type { KernelName } from '../../../shared/tensors/kernels.ts';
import { outputsOf } from '../../../shared/tensors/output-shapes/outputs.ts';

type Attributes = Readonly<Record<string, AttributeValue>>;
type Inputs = readonly (tf.TensorInfo | null)[];

/** Gradients whose loops are as long as the forward kernel's output: that, and what its inputs were. */
const forwardOf: Partial<
  Record<KernelName, (inputs: Inputs, attributes: Attributes) => ForwardCall>
> = {
  Conv2DBackpropFilter: ([x, dy], { filterShape }) => ['Conv2D', [x, like(x, filterShape)], dy],
  Conv2DBackpropInput: ([dy, filter], { inputShape }) => [
    'Conv2D',
    [like(dy, inputShape), filter],
    dy,
  ],
  DepthwiseConv2dNativeBackpropFilter: ([x, dy], { filterShape }) => [
    'DepthwiseConv2dNative',
    [x, like(x, filterShape)],
    dy,
  ],
  DepthwiseConv2dNativeBackpropInput: ([dy, filter], { inputShape }) => [
    'DepthwiseConv2dNative',
    [like(dy, inputShape), filter],
    dy,
  ],
  Conv3DBackpropFilterV2: ([x, dy], { filterShape }) => ['Conv3D', [x, like(x, filterShape)], dy],
  Conv3DBackpropInputV2: ([dy, filter], { inputShape }) => [
    'Conv3D',
    [like(dy, inputShape), filter],
    dy,
  ],
  AvgPoolGrad: ([dy, input]) => ['AvgPool', [input], dy],
  MaxPoolGrad: ([dy, input]) => ['MaxPool', [input], dy],
  AvgPool3DGrad: ([dy, input]) => ['AvgPool3D', [input], dy],
  MaxPool3DGrad: ([dy, input]) => ['MaxPool3D', [input], dy],
  Dilation2DBackpropInput: ([x, filter, dy]) => ['Dilation2D', [x, filter], dy],
  Dilation2DBackpropFilter: ([x, filter, dy]) => ['Dilation2D', [x, filter], dy],
};

type Given = tf.TensorInfo | null | undefined;
type ForwardCall = readonly [forward: KernelName, inputs: readonly Given[], dy: Given];

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
