import type { RecipeName, Settings } from '../../../shared/recipes.ts';
import type { PictureModel, TrainableModel } from './model.ts';
import { PixelCnnReport } from './pixel-cnn-report.ts';
import { PixelRnn } from './pixel-rnn.ts';
import { SentimentModel } from './sentiment.ts';

type ModelOf<Name extends RecipeName> = Name extends `digits-${string}`
  ? PictureModel
  : TrainableModel;

const makers: { readonly [Name in RecipeName]: (settings: Settings<Name>) => ModelOf<Name> } = {
  'imdb-simple-rnn': (settings) => new SentimentModel('SimpleRNN', settings),
  'imdb-lstm': (settings) => new SentimentModel('LSTM', settings),
  'digits-pixel-rnn': (settings) => new PixelRnn(settings),
  'digits-pixel-cnn-report': (settings) => new PixelCnnReport(settings),
};

/**
 * A recipe's network with fresh weights, on the engine that is open. The weights follow from
 * `settings.seed` and are the same on every engine.
 */
export function createModel<Name extends RecipeName>(
  name: Name,
  settings: Settings<Name>,
): ModelOf<Name> {
  return makers[name](settings);
}
