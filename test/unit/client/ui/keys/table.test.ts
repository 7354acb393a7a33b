import { expect, test } from 'vitest';
import type { Context } from '../../../../../client/ui/keys/binding.ts';
import { helpRows } from '../../../../../client/ui/keys/help.ts';
import { hintRow } from '../../../../../client/ui/keys/hints.ts';
import { keyNames } from '../../../../../client/ui/keys/key-name.ts';
import { shownKey } from '../../../../../client/ui/keys/shown-key.ts';
import { bindings, commandOf } from '../../../../../client/ui/keys/table.ts';
import { createLook } from '../../../../../client/ui/style/look.ts';

const look = createLook({ depth: 'none', unicode: true });
const contexts: Context[] = ['run', 'home', 'form', 'choice', 'help'];

test('no key means two things in one place', () => {
  for (const context of contexts) {
    const keys = bindings
      .filter(
        (binding) => binding.contexts.includes(context) || binding.contexts.includes('everywhere'),
      )
      .flatMap((binding) => binding.keys);
    expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
  }
});

test('every key of the table is matched where it belongs, and only there', () => {
  for (const binding of bindings) {
    for (const key of binding.keys) {
      for (const context of contexts) {
        const here = binding.contexts.includes(context) || binding.contexts.includes('everywhere');
        if (here) expect(commandOf(key, [context])).toBe(binding.command);
        else
          expect(
            bindings.some((other) => other !== binding && other.command === binding.command) ||
              commandOf(key, [context]) !== binding.command,
          ).toBe(true);
      }
    }
  }
});

test('the help shows every key of the table with its description', () => {
  const text = helpRows('run', 100, look).join('\n');
  for (const { keys, description } of bindings) {
    expect(text).toContain(description);
    for (const key of keys) expect(text).toContain(shownKey(key, true));
  }
});

test('the footer fits its width, and help is in it however narrow', () => {
  for (const width of [8, 20, 60, 160]) {
    const row = hintRow('run', width, look);
    expect(row).toHaveLength(width);
    expect(row.startsWith('? help')).toBe(true);
  }
});

test('the footer says resume where space resumes', () => {
  expect(hintRow('run', 100, look, { 'run.pauseOrResume': 'resume' })).toContain('Space resume');
});

const none = {
  upArrow: false,
  downArrow: false,
  leftArrow: false,
  rightArrow: false,
  pageDown: false,
  pageUp: false,
  home: false,
  end: false,
  return: false,
  escape: false,
  ctrl: false,
  shift: false,
  tab: false,
  backspace: false,
  delete: false,
  meta: false,
  super: false,
  hyper: false,
  capsLock: false,
  numLock: false,
};

test('keys get the names that the table uses', () => {
  expect(keyNames(' ', none)).toEqual(['space']);
  expect(keyNames('S', { ...none, shift: true })).toEqual(['S']);
  expect(keyNames('c', { ...none, ctrl: true })).toEqual(['ctrl+c']);
  expect(keyNames('', { ...none, tab: true, shift: true })).toEqual(['shift+tab']);
  expect(keyNames('', { ...none, leftArrow: true })).toEqual(['left']);
  // Several characters that arrive in one piece, as over a slow line.
  expect(keyNames('ab \r', none)).toEqual(['a', 'b', 'space', 'return']);
  expect(keyNames('\x1599', none)).toEqual(['ctrl+u', '9', '9']);
});
