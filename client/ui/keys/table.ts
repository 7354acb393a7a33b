import type { Binding, Command, Context } from './binding.ts';
import { dialogKeys } from './dialog-keys.ts';
import { homeKeys } from './home-keys.ts';
import { runKeys } from './run-keys.ts';

/** What keys mean on every screen. */
const keysEverywhere: readonly Binding[] = [
  {
    command: 'app.help',
    keys: ['?'],
    contexts: ['run', 'home', 'choice', 'help'],
    group: 'Everywhere',
    description: 'this help',
    hint: 'help',
  },
  {
    command: 'app.back',
    keys: ['escape'],
    contexts: ['everywhere'],
    group: 'Everywhere',
    description: 'back out one level',
    hint: 'back',
  },
  {
    command: 'app.redraw',
    keys: ['ctrl+l'],
    contexts: ['everywhere'],
    group: 'Everywhere',
    description: 'draw the screen anew',
  },
  {
    command: 'app.interrupt',
    keys: ['ctrl+c'],
    contexts: ['everywhere'],
    group: 'Everywhere',
    description: 'first: ask what to do; again: leave, the run goes on',
  },
];

/**
 * Every key of the dashboard, once: what it is matched with, what the help says and what the footer
 * shows all come from here.
 */
export const bindings: readonly Binding[] = [
  ...runKeys,
  ...homeKeys,
  ...dialogKeys,
  ...keysEverywhere,
];

/** What `key` means here: in the first of `contexts` that knows it, else everywhere. */
export function commandOf(key: string, contexts: readonly Context[]): Command | undefined {
  for (const context of [...contexts, 'everywhere'] as const) {
    const binding = bindings.find(
      ({ keys, contexts: places }) => places.includes(context) && keys.includes(key),
    );
    if (binding) return binding.command;
  }
  return undefined;
}
