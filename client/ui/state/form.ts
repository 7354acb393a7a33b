import { eraseCharacter, moveCursor, type TextField, textField, typeText } from './text-field.ts';

interface FieldBase {
  readonly key: string;
  readonly label: string;
  /** One sentence, shown while the field is chosen. */
  readonly description: string;
  /** Why the value cannot be taken; absent when it can. */
  readonly error?: string;
  /** Differs from what it would be without the user. */
  readonly changed: boolean;
}

export type Field =
  | (FieldBase & {
      readonly kind: 'text';
      readonly edited: TextField /** Shown as dots. */;
      readonly secret?: boolean;
    })
  | (FieldBase & {
      readonly kind: 'choice';
      readonly value: string;
      readonly choices: readonly string[];
    })
  | (FieldBase & { readonly kind: 'toggle'; readonly on: boolean });

export interface Form {
  readonly fields: readonly Field[];
  /** Index of the chosen field. */
  readonly focus: number;
}

export const textOf = (field: Field | undefined): string =>
  field === undefined
    ? ''
    : field.kind === 'text'
      ? field.edited.text.trim()
      : field.kind === 'choice'
        ? field.value
        : field.on
          ? 'yes'
          : 'no';

export const fieldOf = (form: Form, key: string): Field | undefined =>
  form.fields.find((field) => field.key === key);

export const firstError = (form: Form): Field | undefined =>
  form.fields.find(({ error }) => error !== undefined);

export type FormEdit =
  | { readonly kind: 'move'; readonly by: number }
  | { readonly kind: 'type'; readonly text: string }
  | { readonly kind: 'erase' }
  | { readonly kind: 'clear' }
  /** To another choice; in a text, the cursor. */
  | { readonly kind: 'turn'; readonly by: 1 | -1 };

const wrap = (index: number, count: number): number => (count === 0 ? 0 : (index + count) % count);

/** Does one edit to the chosen field. Errors and `changed` are for the form's owner to bring up to date. */
export function editForm(form: Form, edit: FormEdit): Form {
  if (edit.kind === 'move')
    return { ...form, focus: wrap(form.focus + edit.by, form.fields.length) };
  const fields = form.fields.map((field, index) =>
    index === form.focus ? editField(field, edit) : field,
  );
  return { ...form, fields };
}

function editField(field: Field, edit: Exclude<FormEdit, { kind: 'move' }>): Field {
  switch (field.kind) {
    case 'toggle':
      return edit.kind === 'turn' || (edit.kind === 'type' && edit.text === ' ')
        ? { ...field, on: !field.on }
        : field;
    case 'choice': {
      const by = edit.kind === 'turn' ? edit.by : edit.kind === 'type' && edit.text === ' ' ? 1 : 0;
      return by === 0
        ? field
        : {
            ...field,
            value:
              field.choices[wrap(field.choices.indexOf(field.value) + by, field.choices.length)] ??
              field.value,
          };
    }
    case 'text':
      switch (edit.kind) {
        case 'type':
          return { ...field, edited: typeText(field.edited, edit.text) };
        case 'erase':
          return { ...field, edited: eraseCharacter(field.edited) };
        case 'clear':
          return { ...field, edited: textField() };
        case 'turn':
          return { ...field, edited: moveCursor(field.edited, edit.by) };
      }
  }
}
