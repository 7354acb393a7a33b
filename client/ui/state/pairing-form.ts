import { pinPattern } from '../../../shared/pin.ts';
import { type Field, type Form, fieldOf, textOf } from './form.ts';
import { textField } from './text-field.ts';

/** A worker's address and its one-time code. */
export function pairingForm(): Form {
  const field = (key: string, label: string, description: string): Field => ({
    kind: 'text',
    key,
    label,
    description,
    edited: textField(),
    changed: false,
  });
  return {
    fields: [
      field('url', 'address', 'What the worker printed, as ws://127.0.0.1:7431 or wss://…'),
      field(
        'code',
        'code',
        'The one-time code that the worker printed; it is valid for ten minutes',
      ),
      field(
        'name',
        'name',
        'What to call this worker from now on, e.g. colab; empty: its own name',
      ),
      field(
        'pin',
        'pin',
        'Where the worker printed one, sha256:…: it made its certificate itself; empty: there is none',
      ),
    ],
    focus: 0,
  };
}

/** Checks what can be checked before the worker is asked. */
export function checkPairingForm(form: Form): Form {
  return {
    ...form,
    fields: form.fields.map((field): Field => {
      const { error: _, ...rest } = field;
      const message = problemOf(field.key, textOf(field));
      return message === undefined ? rest : { ...rest, error: message };
    }),
  };
}

function problemOf(key: string, text: string): string | undefined {
  if (key === 'url')
    return /^wss?:\/\/[^\s/]+/.test(text) ? undefined : 'an address begins with ws:// or wss://';
  if (key === 'code') return text === '' ? 'give the code that the worker printed' : undefined;
  if (key === 'pin' && text !== '')
    return pinPattern.test(text) ? undefined : 'a pin is sha256: and 43 letters';
  return text.length > 64 ? 'at most 64 characters' : undefined;
}

export function pairingOf(form: Form): {
  url: string;
  code: string;
  name?: string;
  pin?: string;
} {
  const name = textOf(fieldOf(form, 'name'));
  const pin = textOf(fieldOf(form, 'pin'));
  return {
    url: textOf(fieldOf(form, 'url')),
    code: textOf(fieldOf(form, 'code')),
    ...(name === '' ? {} : { name }),
    ...(pin === '' ? {} : { pin }),
  };
}
