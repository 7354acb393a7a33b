import { TeletrainError } from './errors.ts';
import type { MethodName, methods } from './messages.ts';

/** Methods that are not for observers. */
type Guarded = {
  [Method in MethodName]: (typeof methods)[Method]['needs'] extends 'observe' ? never : Method;
}[MethodName];

/** What a person wanted who is refused: completes "it cannot". */
const deeds: Readonly<Record<Guarded, string>> = {
  'worker.stop': 'end the worker',
  'run.start': 'start a run there',
  'run.pause': 'pause a run there',
  'run.resume': 'resume a run there',
  'run.stop': 'stop a run there',
  'run.change': 'change a run there',
  'run.import': 'bring a run there',
  'file.write': 'bring a checkpoint there',
  'checkpoint.commit': 'bring a checkpoint there',
  'observer.invite': 'share the worker',
  'observer.list': 'see who may look at the worker',
  'observer.revoke': 'revoke the access of others',
  'control.take': 'take control of the worker',
  'tensor.open': 'compute with tensors there',
  'tensor.close': 'compute with tensors there',
};

const isGuarded = (method: MethodName): method is Guarded => method in deeds;

/** Why an observer is refused, by the worker or before it asks, in the words of what it wanted to do. */
export function readOnly(method: MethodName): TeletrainError {
  const deed = isGuarded(method) ? deeds[method] : 'do that';
  return new TeletrainError(
    'read-only',
    `This machine's access to the worker is read-only: it cannot ${deed}.`,
    {
      hint: 'Ask from a machine that paired by the code which the worker itself shows, or pair this one so.',
    },
  );
}
