import type { RecipeName, Settings } from '../../../shared/recipes.ts';
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

export { makers };
