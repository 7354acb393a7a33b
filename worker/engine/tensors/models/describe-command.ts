import type { ModelCommand } from '../../../../shared/tensors/model-commands.ts';
import { type OneOrMore, several } from '../../../../shared/tensors/one-or-more.ts';
import { describeTensor } from '../tensor-bytes.ts';
import type { TensorStore } from '../tensor-store.ts';

/** A command's name and the shapes that it was given, for a message. */
export function describeCommand(command: ModelCommand, store: TensorStore): string {
  const [name] = command;
  if (name === 'createRecipeModel') return `${name}(${command[3]})`;
  const texts = givenHandles(command).flatMap((handle) => {
    const held = store.get(handle);
    return held && 'tensor' in held ? [describeTensor(held.tensor)] : [];
  });
  return `${name}(${texts.join(', ')})`;
}

/** Of the tensors that a command computes with. */
function givenHandles(command: ModelCommand): number[] {
  switch (command[0]) {
    case 'forwardBackward':
    case 'evaluate':
      return [...handlesIn(command[3]), ...(command[4] === null ? [] : handlesIn(command[4]))];
    case 'predict':
      return handlesIn(command[3]);
    case 'sample':
      return command[3] === null ? [] : [command[3]];
    default:
      return [];
  }
}

const handlesIn = (given: OneOrMore<number>): number[] => [...several(given).values()];
