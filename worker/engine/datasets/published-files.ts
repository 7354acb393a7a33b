/** A file that its authors published: the only content that is ever used under its name. */
export interface PublishedFile {
  /** Names it may have in a folder, in order of preference. `.gz` after the first is our reader's. */
  readonly names: readonly [string, ...string[]];
  /** Size and SHA-256 of the published bytes. */
  readonly bytes: number;
  readonly sha256: string;
  /** Where the published bytes are, in the order tried. */
  readonly urls: readonly string[];
  /** What a user without any way to it may do instead; goes on from "Give the folder …". */
  readonly instead?: string;
}

const kerasFolder = 'https://storage.googleapis.com/tensorflow/tf-keras-datasets/';
const mnistMirror = 'https://storage.googleapis.com/cvdf-datasets/mnist/';
const larochelleFolder = 'http://www.cs.toronto.edu/~larocheh/public/datasets/binarized_mnist/';

const alwaysThere = 'or choose the digits that come with teletrain by --set dataset=mnist-10k';

/** Sizes and hashes: `keras.datasets` (npz), LeCun's originals (idx), TensorFlow Datasets (amat). */
export const publishedFiles = {
  imdb: {
    names: ['imdb.npz'],
    bytes: 17464789,
    sha256: '69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f',
    urls: [`${kerasFolder}imdb.npz`],
  },
  mnist: {
    names: ['mnist.npz'],
    bytes: 11490434,
    sha256: '731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1',
    urls: [`${kerasFolder}mnist.npz`],
    instead: alwaysThere,
  },
  mnistTrainImages: {
    names: ['train-images-idx3-ubyte.gz'],
    bytes: 9912422,
    sha256: '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609',
    urls: [`${mnistMirror}train-images-idx3-ubyte.gz`],
  },
  mnistTrainLabels: {
    names: ['train-labels-idx1-ubyte.gz'],
    bytes: 28881,
    sha256: '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c',
    urls: [`${mnistMirror}train-labels-idx1-ubyte.gz`],
  },
  mnistTestImages: {
    names: ['t10k-images-idx3-ubyte.gz'],
    bytes: 1648877,
    sha256: '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6',
    urls: [`${mnistMirror}t10k-images-idx3-ubyte.gz`],
  },
  mnistTestLabels: {
    names: ['t10k-labels-idx1-ubyte.gz'],
    bytes: 4542,
    sha256: 'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6',
    urls: [`${mnistMirror}t10k-labels-idx1-ubyte.gz`],
  },
  binarizedMnistTrain: {
    names: ['binarized_mnist_train.amat', 'binarized_mnist_train.amat.gz'],
    bytes: 78400000,
    sha256: 'ad693b29f94c14277b095f5238ddefbbdaaae0939789dd2f4f0205278cee3e4d',
    urls: [`${larochelleFolder}binarized_mnist_train.amat`],
    instead: alwaysThere,
  },
  binarizedMnistValidation: {
    names: ['binarized_mnist_valid.amat', 'binarized_mnist_valid.amat.gz'],
    bytes: 15680000,
    sha256: '1de3d397c40fe8eeb33dafd4099a1f665ec01e96d9be234aaeeac8a34930e2e2',
    urls: [`${larochelleFolder}binarized_mnist_valid.amat`],
    instead: alwaysThere,
  },
  binarizedMnistTest: {
    names: ['binarized_mnist_test.amat', 'binarized_mnist_test.amat.gz'],
    bytes: 15680000,
    sha256: 'e6687bfea3f820c174f33b7865140b2a2dd2930ef786f35d45795fc193b5ab2c',
    urls: [`${larochelleFolder}binarized_mnist_test.amat`],
    instead: alwaysThere,
  },
} as const satisfies Record<string, PublishedFile>;
