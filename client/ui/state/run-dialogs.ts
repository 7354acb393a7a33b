import { z } from 'zod';
import { isFinal } from '../../../shared/events.ts';
import { findRecipe, settingsSchemas } from '../../../shared/recipes.ts';
import type { RunHandle, WorkerReference } from '../../session/types.ts';
import { formatCount } from '../formatting.ts';
import type { Answer, Dialog } from './dialog.ts';
import { type Form, textOf } from './form.ts';
import { textField } from './text-field.ts';

/** What the dialogs about a run can do. */
export interface RunActions {
  /** Sends a command to the worker, and says `said`. */
  ask(said: string, work: () => Promise<void>): void;
  leave(): void;
  resume(on: string | undefined): void;
}

/** Stop after this epoch, now, or not: both leave a checkpoint. Who only observes is asked whether to leave. */
export function stopDialog(handle: RunHandle, actions: RunActions, line?: string): Dialog {
  const observes = handle.view.access?.role === 'observe';
  const stops: Answer[] = [
    {
      label: 'finish this epoch, then stop',
      key: 'e',
      description: 'with its validation and a checkpoint',
      take: () => actions.ask('Asked to stop after this epoch.', () => handle.stop('epoch')),
    },
    {
      label: 'stop now',
      key: 'n',
      description: 'after this step, with a checkpoint',
      take: () => actions.ask('Asked to stop now.', () => handle.stop('now')),
    },
  ];
  const answers: Answer[] = [
    ...(observes ? [] : stops),
    {
      label: 'leave, the run goes on',
      key: 'q',
      description: '"teletrain attach" finds it again',
      take: () => actions.leave(),
    },
    { label: 'cancel', description: 'back to the run', take: () => {} },
  ];
  return {
    kind: 'choice',
    title: observes ? 'Leave the run?' : 'Stop the run?',
    lines: line === undefined ? [] : [line],
    answers,
    chosen: answers.length - 1,
  };
}

/** Changes epochs or patience, of a run that ended for when it is resumed. */
export function numberDialog(
  what: 'epochs' | 'patience',
  handle: RunHandle,
  actions: RunActions,
): Dialog {
  const { view } = handle;
  const recipe = findRecipe(view.record.recipe);
  const shape: Readonly<Record<string, z.ZodType>> = recipe
    ? settingsSchemas[recipe.name].shape
    : {};
  const isOver = isFinal(view.state);
  const least = what === 'epochs' ? Math.max(1, view.epoch) : 0;
  const check = (form: Form): Form => ({
    ...form,
    fields: form.fields.map((field) => {
      const { error: _, ...rest } = field;
      const text = textOf(field);
      const parsed = z.coerce.number().pipe(z.int().min(least)).safeParse(text);
      const message =
        text === '' || !parsed.success ? `give a whole number from ${least} on` : undefined;
      return {
        ...rest,
        changed: text !== String(view[what]),
        ...(message === undefined ? {} : { error: message }),
      };
    }),
  });
  return {
    kind: 'form',
    title: what === 'epochs' ? 'Number of epochs' : 'Patience',
    lines: [
      shape[what]?.description ?? '',
      what === 'epochs'
        ? `Now ${view.epochs}; epoch ${view.epoch} ${isOver ? 'was the last' : 'is running'}.`
        : `Now ${view.patience === 0 ? '0, the run never ends early' : view.patience}.`,
      ...(isOver ? ['It holds once the run is resumed.'] : []),
    ],
    form: {
      fields: [
        {
          kind: 'text',
          key: what,
          label: what,
          description: '',
          edited: textField(String(view[what])),
          changed: false,
        },
      ],
      focus: 0,
    },
    check,
    submit: (form) => {
      const value = Number(textOf(form.fields[0]));
      if (value !== view[what])
        actions.ask(`Asked for ${what} ${value}.`, () => handle.change({ [what]: value }));
    },
  };
}

/** Another machine has control of the worker. */
export function takeDialog(holder: string, take: () => void): Dialog {
  return {
    kind: 'choice',
    title: `Take control from ${holder}?`,
    lines: ['One machine at a time may change things there; the other can look on from then on.'],
    answers: [
      { label: 'cancel', take: () => {} },
      { label: 'take control', key: 'y', take },
    ],
    chosen: 0,
  };
}

/**
 * Where a run that ended early goes on.
 * @param where whether it may be where it ran, and on which others.
 */
export function resumeDialog(
  { view }: RunHandle,
  where: { readonly own: boolean; readonly others: readonly WorkerReference[] },
  actions: RunActions,
): Dialog {
  const own: Answer = {
    label: `where it ran${view.worker === undefined ? '' : ` (${view.worker})`}`,
    key: 'r',
    take: () => actions.resume(undefined),
  };
  const answers: Answer[] = [
    ...(where.own ? [own] : []),
    ...where.others.map(
      ({ name }): Answer => ({
        label: `on ${name}`,
        description: 'the last checkpoint here is uploaded first',
        take: () => actions.resume(name),
      }),
    ),
    { label: 'cancel', take: () => {} },
  ];
  const last = view.checkpoints.findLast(({ home }) => home.state === 'verified');
  return {
    kind: 'choice',
    title: 'Resume the run?',
    lines: [
      last
        ? `It goes on from its last checkpoint; the last one here is of step ${formatCount(last.step)}.`
        : 'It goes on from its last checkpoint on the worker; there is none here.',
    ],
    answers,
    chosen: 0,
  };
}
