/** Why a spec of tfjs-core's cannot pass, by what its error says. */
const lacking: readonly { readonly says: RegExp; readonly reason: string }[] = [
  // Also where it came in place of another error, which vitest then quotes.
  { says: /Kernel \\?'\w+\\?' not registered/, reason: 'tfjs-node never had this kernel' },
  {
    says: /TF Backend supports only 'valid' and 'same' padding/,
    reason: 'tfjs-node pools and transposes convolutions with two kinds of padding',
  },
  { says: /does not support dataFormat:'NCHW'/, reason: 'tfjs-node fuses NHWC only' },
];

const stringComparison = 'TensorFlow compares no strings by size';
const scatter = 'tfjs takes updates of shapes that TensorFlow refuses';
const signOfNaN = 'TensorFlow says that the sign of NaN is NaN, tfjs that it is 0';

/** Specs that fail for another reason each. Those marked * pass on the engine without a wire. */
const named: Readonly<Record<string, string>> = {
  'tf.buffer string': '* places never written come back as empty strings, not as undefined',
  'gather throws when index is out of bound': '* told at the next read, not by tf.gather itself',
  'avgPool3d x=[1,1,1,1,1] f=[1,1,3] s=1 p=valid': 'TensorFlow refuses an output without elements',
  'conv2dTranspose input=8x8x8,output=4x4x8,f=8,s=1,inDepth=8,p=same vec4':
    'oneDNN has no such convolution',
  'diag bool': 'TensorFlow has no diagonal of truth values',
  'einsum 2d matrix calculate trace: duplicate axes not implemented yet': 'it is implemented here',
  'einsum nonexistent dimension throws error': 'TensorFlow takes it',
  'greater should support string comparison': stringComparison,
  'greaterEqual should support string comparison': stringComparison,
  'less should support string comparison': stringComparison,
  'lessEqual should support string comparison': stringComparison,
  'leakyrelu int32': 'tfjs-node keeps int32',
  'step kernel with int32 tensor': 'tfjs-node has it for floating-point numbers only',
  'multinomial creates the same data given the same seed': 'tfjs-node has its own random numbers',
  'round int32': 'TensorFlow 2.20 on some processors rounds large int32 to 0',
  'scatterND should work for 2d': scatter,
  'scatterND should work for simple 1d': scatter,
  'scatterND should work for multiple 1d': scatter,
  'scatterND should sum the duplicated indices': scatter,
  'scatterND should work for tensorLike input': scatter,
  'sign basic': signOfNaN,
  'sign does not propagate NaNs': signOfNaN,
  'sign accepts a tensor-like object': signOfNaN,
  'tan numbers exceed float32 precision': 'the last bit of a tangent near its pole',
  'unique 1d tensor with NaN and Infinity': 'TensorFlow takes every NaN for the same',
};

/**
 * @param error what the spec ended with, undefined where it passed.
 * @returns why it may fail; undefined where it passed. Throws the error otherwise, and where a spec
 *   passes that is named here, though not one marked *: those pass on the engine.
 */
export function excuse(spec: string, error: unknown): string | undefined {
  const reason = named[spec.replace(/ test-tensorflow \{\}/, '')];
  if (error === undefined) {
    if (reason === undefined || reason.startsWith('*')) return undefined;
    throw new Error('It passes: it can be taken off the list of exceptions.');
  }
  const text = String(error instanceof Error ? error.message : error);
  const found = reason ?? lacking.find(({ says }) => says.test(text))?.reason;
  if (found === undefined) throw error;
  return found;
}
