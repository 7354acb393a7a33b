/**
 * The classes that a client's model.json may name: tfjs-layers' layers, their cells, initializers,
 * regularizers and constraints, and PixelRNN's layers of our own. Nothing else is made from a client's
 * text.
 */
export const layerClasses: ReadonlySet<string> = new Set([
  // Models.
  ...['Functional', 'Model', 'Sequential', 'InputLayer'],
  // Dense, shapes and activations.
  ...['Activation', 'AlphaDropout', 'Dense', 'Dropout', 'ELU', 'Embedding', 'Flatten'],
  ...['GaussianDropout', 'GaussianNoise', 'LeakyReLU', 'Masking', 'PReLU', 'Permute', 'ReLU'],
  ...['RepeatVector', 'Reshape', 'Softmax', 'SpatialDropout1D', 'ThresholdedReLU'],
  ...['BatchNormalization', 'LayerNormalization'],
  // Of several inputs.
  ...['Add', 'Average', 'Concatenate', 'Dot', 'Maximum', 'Minimum', 'Multiply'],
  // Convolutions and pooling.
  ...['Conv1D', 'Conv2D', 'Conv2DTranspose', 'Conv3D', 'Conv3DTranspose', 'Cropping2D'],
  ...['DepthwiseConv2D', 'SeparableConv2D', 'UpSampling2D', 'ZeroPadding2D'],
  ...['AveragePooling1D', 'AveragePooling2D', 'AveragePooling3D'],
  ...['GlobalAveragePooling1D', 'GlobalAveragePooling2D'],
  ...['GlobalMaxPooling1D', 'GlobalMaxPooling2D'],
  ...['MaxPooling1D', 'MaxPooling2D', 'MaxPooling3D'],
  // Recurrences.
  ...['Bidirectional', 'ConvLSTM2D', 'ConvLSTM2DCell', 'GRU', 'GRUCell', 'LSTM', 'LSTMCell'],
  ...['RNN', 'SimpleRNN', 'SimpleRNNCell', 'StackedRNNCells', 'TimeDistributed'],
  ...['DiagonalBiLSTM', 'DiagonalLSTM', 'MaskedConv2D'],
  // Preprocessing.
  ...['CategoryEncoding', 'CenterCrop', 'RandomWidth', 'Rescaling', 'Resizing'],
  // Initializers.
  ...['Constant', 'GlorotNormal', 'GlorotUniform', 'HeNormal', 'HeUniform', 'Identity'],
  ...['LeCunNormal', 'LeCunUniform', 'Ones', 'Orthogonal', 'RandomNormal', 'RandomUniform'],
  ...['TruncatedNormal', 'VarianceScaling', 'Zeros'],
  // Regularizers and constraints.
  ...['L1L2', 'MaxNorm', 'MinMaxNorm', 'NonNeg', 'UnitNorm'],
  // Activations, which tfjs-layers registers as classes, too.
  ...['elu', 'gelu', 'gelu_new', 'hardSigmoid', 'linear', 'logSoftmax', 'mish', 'relu', 'relu6'],
  ...['selu', 'sigmoid', 'softmax', 'softplus', 'softsign', 'swish', 'tanh'],
]);
