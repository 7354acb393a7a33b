import type { AnySettings, RecipeName, Settings } from '../../../shared/recipes.ts';
import type { PictureModel, TrainableModel } from './model.ts';
import { SentimentModel } from './sentiment.ts';

type Makers = {
  readonly [Name in RecipeName]: (
    settings: Settings<Name>,
  ) => Name extends `digits-${string}` ? PictureModel : TrainableModel;
};

const makers: Pick<Makers, 'imdb-simple-rnn' | 'imdb-lstm'> = {
  'imdb-simple-rnn': (settings) => new SentimentModel('SimpleRNN', settings),
  'imdb-lstm': (settings) => new SentimentModel('LSTM', settings),
};

/** The network of a recipe, with its initial weights drawn from the settings' seed. */
export function createModel(name: RecipeName, settings: AnySettings): TrainableModel {
  const make = (makers as Partial<Record<RecipeName, (settings: never) => TrainableModel>>)[name];
  if (make === undefined) throw new Error(`Recipe ${name} has no model.`);
  return make(settings as never);
}
