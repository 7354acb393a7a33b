import type { Command } from '../keys/binding.ts';
import type { Dashboard } from './dashboard.ts';
import { editForm, type FormEdit, firstError } from './form.ts';
import { checkRecipeForm, type RecipeForm, startOf } from './recipe-form.ts';

const edits: Partial<Record<Command, FormEdit>> = {
  'field.next': { kind: 'move', by: 1 },
  'field.previous': { kind: 'move', by: -1 },
  'field.earlierValue': { kind: 'turn', by: -1 },
  'field.laterValue': { kind: 'turn', by: 1 },
  'field.erase': { kind: 'erase' },
  'field.clear': { kind: 'clear' },
};

/** What keys do in a form, of a dialog or of a start. @returns whether `key` meant anything to one. */
export function performInForm(
  dashboard: Dashboard,
  key: string,
  command: Command | undefined,
): boolean {
  if (dashboard.context !== 'form') return false;
  // A single character is text here, whatever it means elsewhere.
  const text = key === 'space' ? ' ' : key.length === 1 ? key : undefined;
  const edit: FormEdit | undefined =
    text === undefined ? command && edits[command] : { kind: 'type', text };
  if (edit) editShownForm(dashboard, edit);
  else if (command === 'form.submit') submit(dashboard);
  else return false;
  return true;
}

export function editShownForm(dashboard: Dashboard, edit: FormEdit): void {
  const { dialog, screen } = dashboard;
  if (dialog?.kind === 'form') {
    dashboard.dialog = { ...dialog, form: dialog.check(editForm(dialog.form, edit)) };
  } else if (screen.kind === 'start') {
    const { form } = screen;
    const edited: RecipeForm = { ...editForm(form, edit), recipe: form.recipe };
    dashboard.screen = { kind: 'start', form: checkRecipeForm(edited, form) };
  }
}

function submit(dashboard: Dashboard): void {
  const { dialog, screen } = dashboard;
  const form =
    dialog?.kind === 'form' ? dialog.form : screen.kind === 'start' ? screen.form : undefined;
  if (!form) return;
  const wrong = firstError(form);
  if (wrong) {
    dashboard.notice = { text: `${wrong.label}: ${wrong.error}`, style: 'bad' };
    editShownForm(dashboard, { kind: 'move', by: form.fields.indexOf(wrong) - form.focus });
    return;
  }
  if (dialog?.kind === 'form') {
    dashboard.dialog = undefined;
    dialog.submit(form);
  } else if (screen.kind === 'start') dashboard.startRun(startOf(screen.form));
}
