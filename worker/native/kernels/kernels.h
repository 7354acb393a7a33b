// What the kernels compute, free of TensorFlow: arguments, and the table of one instruction set's
// code. All matrices are row-major and dense. Sequences are time-major: [timesteps, batch, features].
// Where a pointer may be null it says so.

#ifndef TELETRAIN_KERNELS_KERNELS_H_
#define TELETRAIN_KERNELS_KERNELS_H_

#include <stddef.h>

namespace teletrain {

// What a kernel needs of whoever calls it.
class Runtime {
 public:
  virtual ~Runtime() = default;
  // Memory for the time of the call, aligned to 64 bytes, its contents unspecified.
  virtual float* allocate(size_t floats) = 0;
  // Calls body(closure, part) for every part in 0..parts-1, on any threads, and waits for all.
  virtual void parallel(int parts, void (*body)(void* closure, int part), void* closure) = 0;
};

struct SequenceSize {
  int timesteps, batch, features, units;
};

// h(t) = tanh(x(t) · kernel + bias + h(t-1) · recurrentKernel), h(-1) = initialState
struct SimpleRnnForward {
  SequenceSize size;
  const float* inputs;           // [timesteps, batch, features]
  const float* kernel;           // [features, units]
  const float* recurrentKernel;  // [units, units]
  const float* bias;             // [units]
  const float* initialState;     // [batch, units]
  float* outputs;                // [timesteps, batch, units]
};

struct SimpleRnnBackward {
  SequenceSize size;
  const float* inputs;
  const float* kernel;
  const float* recurrentKernel;
  const float* initialState;
  const float* outputs;
  const float* outputsGradient;    // [timesteps, batch, units], or null for zeros
  const float* lastStateGradient;  // [batch, units], or null for zeros
  float* inputsGradient;
  float* kernelGradient;
  float* recurrentKernelGradient;
  float* biasGradient;
  float* initialStateGradient;
};

// Gates in the order i, f, c, o:
// c(t) = sigmoid(f) · c(t-1) + sigmoid(i) · tanh(c), h(t) = sigmoid(o) · tanh(c(t))
struct LstmForward {
  SequenceSize size;
  const float* inputs;           // [timesteps, batch, features]
  const float* kernel;           // [features, 4 · units]
  const float* recurrentKernel;  // [units, 4 · units]
  const float* bias;             // [4 · units]
  const float* initialState;     // [batch, units]
  const float* initialCell;      // [batch, units]
  float* outputs;                // [timesteps, batch, units]
  float* lastCell;               // [batch, units]
  float* gates;                  // [timesteps, batch, 4 · units], or null where no gradient is wanted
  float* cells;                  // [timesteps, batch, units], or null with gates
};

struct LstmBackward {
  SequenceSize size;
  const float* inputs;
  const float* kernel;
  const float* recurrentKernel;
  const float* initialState;
  const float* initialCell;
  const float* outputs;
  const float* gates;
  const float* cells;
  // Each null for zeros.
  const float* outputsGradient;
  const float* lastStateGradient;
  const float* lastCellGradient;
  float* inputsGradient;
  float* kernelGradient;
  float* recurrentKernelGradient;
  float* biasGradient;
  float* initialStateGradient;
  float* initialCellGradient;
};

// Keras' gates in the order z, r, h: h(t) = z · h(t-1) + (1 - z) · candidate, where the candidate is
// tanh(x · W + b + r · (h(t-1) · U + recurrent b)) if resetAfter, else
// tanh(x · W + b + (r · h(t-1)) · U).
struct GruForward {
  SequenceSize size;
  bool resetAfter;
  const float* inputs;           // [timesteps, batch, features]
  const float* kernel;           // [features, 3 · units]
  const float* recurrentKernel;  // [units, 3 · units]
  const float* bias;             // [3 · units], or [2, 3 · units] if resetAfter: recurrent bias below
  const float* initialState;     // [batch, units]
  float* outputs;                // [timesteps, batch, units]
  // [timesteps, batch, 4 · units]: z, r, candidate and, if resetAfter, h(t-1) · U + recurrent b of the
  // candidate; null where no gradient is wanted.
  float* gates;
};

struct GruBackward {
  SequenceSize size;
  bool resetAfter;
  const float* inputs;
  const float* kernel;
  const float* recurrentKernel;
  const float* initialState;
  const float* outputs;
  const float* gates;
  // Each null for zeros.
  const float* outputsGradient;
  const float* lastStateGradient;
  float* inputsGradient;
  float* kernelGradient;
  float* recurrentKernelGradient;
  float* biasGradient;
  float* initialStateGradient;
};

struct PictureSize {
  int rows, columns, batch, features, units;
};

// An LSTM cell at every pixel, of a state from the pixel beside it (output and cell) and the one above
// it (output); the side is the left, or the right if `fromRight`. Pixels in raster order.
struct DiagonalLstmForward {
  PictureSize size;
  bool fromRight;
  const float* inputs;           // [rows · columns, batch, features]
  const float* kernel;           // [features, 4 · units]
  const float* recurrentKernel;  // [2 · units, 4 · units]: the upper neighbour's rows first
  const float* bias;             // [4 · units]
  const float* initialOutput;    // [units], of neighbours outside the picture
  const float* initialCell;      // [units]
  float* outputs;                // [rows · columns, batch, units]
  float* gates;                  // [rows · columns, batch, 4 · units], or null
  float* cells;                  // [rows · columns, batch, units], or null with gates
};

struct DiagonalLstmBackward {
  PictureSize size;
  bool fromRight;
  const float* inputs;
  const float* kernel;
  const float* recurrentKernel;
  const float* initialOutput;
  const float* initialCell;
  const float* outputs;
  const float* gates;
  const float* cells;
  const float* outputsGradient;
  // The gradient of a pixel's output is that of the pixel this many further, zero past the last: a
  // line of pixels where the outputs were moved down by one, else zero.
  int seenFrom;
  float* kernelGradient;
  float* recurrentKernelGradient;
  float* biasGradient;
  float* initialOutputGradient;
  float* initialCellGradient;
};

// Of the inputs that a layer's directions share.
struct DiagonalInputsGradient {
  const float* added;  // [rows · columns, batch, features], added to it, or null
  float* gradient;     // [rows · columns, batch, features]
};

struct DenseSize {
  int rows, features, units;
  bool relu;
  // Row r of the second input, where there is one, is added to row r + secondOffset of the inputs, so
  // that over pictures it can be the one of the pixel above.
  int secondOffset;
};

// residual + act(inputs + second) · kernel + bias, where act is max(x, 0) if `relu`
struct DenseForward {
  DenseSize size;
  const float* inputs;    // [rows, features]
  const float* second;    // [rows, features], of which the last secondOffset are not read, or null
  const float* kernel;    // [features, units]
  const float* bias;      // [units]
  const float* residual;  // [rows, units], or null
  float* outputs;         // [rows, units]
};

struct DenseBackward {
  DenseSize size;
  const float* inputs;
  const float* second;
  const float* kernel;
  const float* outputsGradient;  // also the residual's gradient
  // [rows, features]: of inputs + second, so that of the second it is this, secondOffset rows earlier
  float* inputsGradient;
  float* kernelGradient;
  float* biasGradient;
};

constexpr int mostDenseLossLayers = 16;

struct DenseLossWeights {
  int features, units;
  bool relu;            // takes max(x, 0) of its inputs
  const float* kernel;  // [features, units]
  const float* bias;    // [units]
  float* kernelGradient;
  float* biasGradient;
};

// Dense layers one after the other, the last of one unit, a logit; and scale times the sum over all
// rows of -ln p(target) in nats, where p(1) = sigmoid(logit).
struct DenseLoss {
  int rows;
  float scale;
  const float* inputs;   // [rows, the first layer's features]
  const float* targets;  // [rows]: 0 or 1, or a probability
  const DenseLossWeights* layers;
  int layerCount;
  float* loss;            // one number
  float* inputsGradient;  // null where no gradient is wanted
};

// A masked convolution with zero padding over pixels in raster order: of an odd kernel's taps only
// the first in raster order are alive, those before the centre and, for mask B, the centre.
struct MaskedConvolutionForward {
  PictureSize size;
  int kernelSize, taps;
  const float* inputs;  // [rows · columns, batch, features]
  const float* kernel;  // [kernelSize, kernelSize, features, units]
  const float* bias;    // [units]
  float* outputs;       // [rows · columns, batch, units]
};

struct MaskedConvolutionBackward {
  PictureSize size;
  int kernelSize, taps;
  const float* inputs;
  const float* kernel;
  const float* outputsGradient;
  float* inputsGradient;  // or null where it is not wanted
  float* kernelGradient;  // zero for taps that are not alive
  float* biasGradient;
};

// The weights of a network that completes pictures, as the layers above take them.
struct SampledDirectionWeights {
  const float* kernel;
  const float* recurrentKernel;
  const float* bias;
  const float* initialOutput;
  const float* initialCell;
};

struct SampledLayerWeights {
  SampledDirectionWeights left, right;
  const float* upsampleKernel;  // [units, maps]
  const float* upsampleBias;    // [maps]
};

struct SampledDenseWeights {
  const float* kernel;
  const float* bias;
  int features, units;
  bool relu;
};

constexpr int mostSampledLayers = 64;
constexpr int mostSampledDense = 16;

// Some rows of pictures through a network: a mask-A convolution of the pixels to maps; diagonal
// layers, each maps + (left + right of the row above) · upsampleKernel + upsampleBias; dense layers to
// one logit. Rows are read as they are given, or the last one is drawn.
struct SampledRows {
  PictureSize size;  // one feature, the pixel; size.units is the number of maps
  int firstRow;      // the rows before it are only seen by the convolution
  int kernelSize, taps;
  const float* inputKernel;
  const float* inputBias;
  int layerCount, units;
  const SampledLayerWeights* layers;
  int denseCount;
  const SampledDenseWeights* dense;
  const float* pixels;      // [rows · columns, batch]; of a row to be drawn nothing is read
  const float* thresholds;  // [columns, batch]: a pixel is 1 where its logit is larger; null to read
  // [layers, left and right, columns, batch, units]: the outputs in the row above the first one, or
  // null where that is a picture's first row
  const float* above;
  float* drawn;   // [columns, batch], or null with thresholds
  float* states;  // like `above`, of the last row; or null where no row follows
};

// The vectors of tokens, time-major.
struct EmbeddingForward {
  int timesteps, batch, units;
  const float* table;  // [vocabulary, units]
  const int* tokens;   // [batch, timesteps], all within the vocabulary
  float* outputs;      // [timesteps, batch, units]
};

// What the tokens' places give to each row of the table that was read.
struct EmbeddingBackward {
  int places, rows, units;
  const float* outputsGradient;  // [places, units]
  const int* order;              // [places]: the first row's places, ascending, then the second's, ...
  const int* starts;             // [rows + 1]: where in `order` each row's places begin
  float* rowsGradient;           // [rows, units]
};

// A variable and what an optimizer keeps of it, all of its size and changed in place.
struct OptimizedVariable {
  ptrdiff_t size;
  float* weights;
  float* momentum;        // Adam's mean gradient; else null
  float* velocity;        // mean squared gradient
  float* average;         // of the weights, or null
  const float* gradient;  // [size], or [touched, units] of the rows of a table
  // Null but for a table of which only some rows have a gradient.
  const int* rows;  // [touched], ascending and distinct
  int touched, units;
  int* settled;  // [rows of the table]: how many steps a row's velocity and average have seen, or null
};

// Floats of a dense variable, or rows of a table: all of it or, where the gradient is meant, the touched.
struct UpdatePiece {
  int variable;
  ptrdiff_t first, count;
};

struct UpdatePieces {
  const UpdatePiece* pieces;
  int count;
};

// One step of RMSprop or Adam over all variables.
struct OptimizerStep {
  const OptimizedVariable* variables;
  UpdatePieces gradients;  // all gradients
  UpdatePieces updates;    // what is to be updated
  bool parallel;           // whether it is enough to wake threads for
  int step;                // steps before this one
  float learningRate;      // Adam's with the correction of its means' bias
  float momentumRest;      // 1 - Adam's beta 1
  float velocityDecay;     // RMSprop's rho, Adam's beta 2
  float velocityRest;      // 1 - that, rounded once
  float epsilon;
  float clipNorm;          // 0: gradients are not clipped
  float averageMomentum;
};

// The kernels' code for one instruction set.
struct InstructionSet {
  const char* name;
  int lanes;
  void (*simpleRnnForward)(const SimpleRnnForward&, Runtime&);
  void (*simpleRnnBackward)(const SimpleRnnBackward&, Runtime&);
  void (*lstmForward)(const LstmForward&, Runtime&);
  void (*lstmBackward)(const LstmBackward&, Runtime&);
  void (*gruForward)(const GruForward&, Runtime&);
  void (*gruBackward)(const GruBackward&, Runtime&);
  // One direction or two of one size over the same inputs.
  void (*diagonalLstmForward)(const DiagonalLstmForward* directions, int count, Runtime&);
  void (*diagonalLstmBackward)(const DiagonalLstmBackward* directions, int count,
                               const DiagonalInputsGradient&, Runtime&);
  void (*denseForward)(const DenseForward&, Runtime&);
  void (*denseBackward)(const DenseBackward&, Runtime&);
  void (*denseLoss)(const DenseLoss&, Runtime&);
  void (*maskedConvolutionForward)(const MaskedConvolutionForward&, Runtime&);
  void (*maskedConvolutionBackward)(const MaskedConvolutionBackward&, Runtime&);
  void (*sampleRows)(const SampledRows&, Runtime&);
  void (*embeddingForward)(const EmbeddingForward&, Runtime&);
  void (*embeddingBackward)(const EmbeddingBackward&, Runtime&);
  void (*rmspropStep)(const OptimizerStep&, Runtime&);
  void (*adamStep)(const OptimizerStep&, Runtime&);
  // Makes up for the steps that a table's rows missed, of all pieces of `updates`.
  void (*settleRows)(const OptimizerStep&, Runtime&);
  // Element by element, for measuring their error.
  void (*tanh)(const float* from, float* to, size_t count);
  void (*sigmoid)(const float* from, float* to, size_t count);
};

// The best code that this processor runs, for layers of this many units. Whatever their number, a
// product going forward has the same bits. TELETRAIN_INSTRUCTION_SET (plain, avx2, avx512) asks for less.
const InstructionSet& instructionSetFor(int units);
// All that this processor runs, from plain on; the end is null.
const InstructionSet* const* instructionSets();

}  // namespace teletrain

#endif  // TELETRAIN_KERNELS_KERNELS_H_
