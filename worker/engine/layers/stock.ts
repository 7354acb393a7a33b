import type { serialization, Tensor } from '@tensorflow/tfjs-core';
import { layers, type Shape, type SymbolicTensor } from '@tensorflow/tfjs-layers';
import type {
  GRU,
  GRUCell,
  GRUCellLayerArgs,
  GRULayerArgs,
  LSTM,
  LSTMCell,
  LSTMLayerArgs,
  RNN,
  SimpleRNN,
  SimpleRNNCell,
  SimpleRNNLayerArgs,
} from '@tensorflow/tfjs-layers/dist/layers/recurrent.js';
import type {
  Bidirectional,
  BidirectionalLayerArgs,
} from '@tensorflow/tfjs-layers/dist/layers/wrappers.js';

export type { Bidirectional, GRU, LSTM, RNN, Shape, SimpleRNN };
export type RecurrentCell = SimpleRNNCell | LSTMCell | GRUCell;
export type SimpleRnnArguments = SimpleRNNLayerArgs;
export type LstmArguments = LSTMLayerArgs;
/** tfjs declares `resetAfter` for the cell alone. */
export type GruArguments = GRULayerArgs & Pick<GRUCellLayerArgs, 'resetAfter'>;
export type GruCellArguments = GRUCellLayerArgs;
export type BidirectionalArguments = BidirectionalLayerArgs;

/** What a layer is applied to and gives. */
export type Given = Tensor | Tensor[] | SymbolicTensor | SymbolicTensor[];

/** What a layer's `call` and `apply` get beside the inputs. */
// biome-ignore lint/suspicious/noExplicitAny: tfjs declares them so.
export type CallArguments = Record<string, any>;

/** A class of layers with its static members. */
export interface LayerClass<Arguments, Instance> {
  new (given: Arguments): Instance;
  readonly className: string;
  fromConfig<T extends serialization.Serializable>(
    layerClass: serialization.SerializableConstructor<T>,
    config: serialization.ConfigDict,
  ): T;
}

/** The class that made a layer: tfjs exports functions that make layers, and no classes. */
function classOf<Arguments, Instance>(layer: object): LayerClass<Arguments, Instance> {
  // Every layer's class has both static members.
  return layer.constructor as LayerClass<Arguments, Instance>;
}

export const StockSimpleRnn = classOf<SimpleRnnArguments, SimpleRNN>(
  layers.simpleRNN({ units: 1 }),
);
export const StockLstm = classOf<LstmArguments, LSTM>(layers.lstm({ units: 1 }));
export const StockGru = classOf<GruArguments, GRU>(layers.gru({ units: 1 }));
export const StockGruCell = classOf<GruCellArguments, GRUCell>(layers.gruCell({ units: 1 }));
export const StockBidirectional = classOf<BidirectionalArguments, Bidirectional>(
  layers.bidirectional({ layer: layers.lstm({ units: 1 }) as RNN }),
);
