import { TeletrainError } from '../../../shared/errors.ts';

/** A loss, weight or optimizer slot became NaN or infinite: what follows would be noise. */
export class NotFinite extends TeletrainError {
  override readonly name = 'NotFinite';

  /** @param what E.g. "The training loss at step 12 is NaN". */
  constructor(what: string) {
    super('not-finite', `${what}.`, {
      hint: 'Start again with a lower learningRate or a smaller clipNorm; the last checkpoint is from before.',
    });
  }
}
