import type { Binding } from './binding.ts';

/** What keys mean in forms and in dialogs. */
export const dialogKeys: readonly Binding[] = [
  {
    command: 'field.next',
    keys: ['down', 'tab'],
    contexts: ['form'],
    group: 'Forms',
    description: 'next field',
    hint: 'field',
  },
  {
    command: 'field.previous',
    keys: ['up', 'shift+tab'],
    contexts: ['form'],
    group: 'Forms',
    description: 'previous field',
  },
  {
    command: 'field.earlierValue',
    keys: ['left'],
    contexts: ['form'],
    group: 'Forms',
    description: 'previous value of a choice',
  },
  {
    command: 'field.laterValue',
    keys: ['right'],
    contexts: ['form'],
    group: 'Forms',
    description: 'next value of a choice',
    hint: 'change',
  },
  {
    command: 'field.erase',
    keys: ['backspace', 'delete'],
    contexts: ['form'],
    group: 'Forms',
    description: 'erase a character',
  },
  {
    command: 'field.clear',
    keys: ['ctrl+u'],
    contexts: ['form'],
    group: 'Forms',
    description: 'erase the field',
  },
  {
    command: 'form.submit',
    keys: ['return'],
    contexts: ['form'],
    group: 'Forms',
    description: 'do it',
    hint: 'start',
  },

  {
    command: 'choice.next',
    keys: ['down', 'tab', 'right', 'j'],
    contexts: ['choice'],
    group: 'Dialogs',
    description: 'next answer',
  },
  {
    command: 'choice.previous',
    keys: ['up', 'shift+tab', 'left', 'k'],
    contexts: ['choice'],
    group: 'Dialogs',
    description: 'previous answer',
  },
  {
    command: 'choice.take',
    keys: ['return', 'space'],
    contexts: ['choice'],
    group: 'Dialogs',
    description: 'take the answer',
    hint: 'choose',
  },
];
