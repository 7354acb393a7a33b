import type { RecipeName, Settings } from '../../../shared/recipes.ts';
import type { PictureModel, TrainableModel } from './model.ts';
import { PixelCnnReport, pixelCnnReportSpecifications } from './pixel-cnn-report.ts';
import { PixelRnn } from './pixel-rnn.ts';
import { pixelRnnSpecifications } from './pixel-rnn-weights.ts';
import { SentimentModel, sentimentSpecifications } from './sentiment.ts';
import type { WeightSpecification } from './weights.ts';

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

const specifications: {
  readonly [Name in RecipeName]: (settings: Settings<Name>) => readonly WeightSpecification[];
} = {
  'imdb-simple-rnn': (settings) => sentimentSpecifications('SimpleRNN', settings),
  'imdb-lstm': (settings) => sentimentSpecifications('LSTM', settings),
  'digits-pixel-rnn': (settings) => pixelRnnSpecifications(settings),
  'digits-pixel-cnn-report': () => pixelCnnReportSpecifications(),
};

/** The weights that `createModel` would make, which may be too many. */
export function weightSpecifications<Name extends RecipeName>(
  name: Name,
  settings: Settings<Name>,
): readonly WeightSpecification[] {
  return specifications[name](settings);
}
