import type { Command } from '../keys/binding.ts';
import type { Dashboard } from './dashboard.ts';
import type { Answer } from './dialog.ts';

/** What keys do in a dialog that asks to choose an answer. */
export function performInDialog(dashboard: Dashboard, command: Command): void {
  const { dialog } = dashboard;
  if (dialog?.kind !== 'choice') return;
  const { answers, chosen } = dialog;
  const by = command === 'choice.next' ? 1 : command === 'choice.previous' ? -1 : 0;
  if (by !== 0)
    dashboard.dialog = { ...dialog, chosen: (chosen + by + answers.length) % answers.length };
  const answer = answers[chosen];
  if (command === 'choice.take' && answer) take(dashboard, answer);
}

/** Takes the answer that has a key of its own. @returns whether `key` is one's. */
export function answerByKey(dashboard: Dashboard, key: string): boolean {
  const { dialog, help } = dashboard;
  if (dialog?.kind !== 'choice' || help !== undefined) return false;
  const answer = dialog.answers.find((item) => item.key === key);
  if (answer) take(dashboard, answer);
  return answer !== undefined;
}

function take(dashboard: Dashboard, answer: Answer): void {
  dashboard.dialog = undefined;
  answer.take();
}
