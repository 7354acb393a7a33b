import { describe, expect, test } from 'vitest';
import { limits } from '../../../../shared/limits.ts';
import { Control, publicId } from '../../../../worker/gateway/control.ts';

const anna = { id: 'client-anna', name: 'anna' };
const bert = { id: 'client-bert', name: 'bert' };
const linger = limits.controlLingerMs;

/** Anna has control and is connected. */
function annas(): Control {
  const control = new Control(undefined, 0);
  control.arrived(anna);
  control.claim(anna, 0);
  return control;
}

describe('control', () => {
  test('goes to who first asks for a change, and stays there while that client is connected', () => {
    const control = new Control(undefined, 0);
    control.arrived(anna);
    control.arrived(bert);
    expect(control.stateFor(anna.id)).toEqual({ yours: false });
    expect(control.claim(anna, 1)).toEqual({ kind: 'granted', from: undefined });
    expect(control.claim(anna, 2)).toEqual({ kind: 'held' });
    expect(control.claim(bert, 3 + 100 * linger)).toEqual({ kind: 'refused', holder: anna });
    expect(control.holder).toEqual(anna);
  });

  test("is the client's, not a connection's", () => {
    const control = annas();
    control.arrived(anna);
    control.left(anna, 'done', 5);
    expect(control.claim(bert, 6)).toMatchObject({ kind: 'refused' });
    expect(control.stateFor(bert.id).holder).toMatchObject({ connected: true });
  });

  test('is free at once when its holder said goodbye, and says so', () => {
    const control = annas();
    control.left(anna, 'done', 5);
    expect(control.stateFor(bert.id).holder).toMatchObject({ name: 'anna', connected: false });
    expect(control.claim(bert, 5)).toEqual({ kind: 'granted', from: anna });
    expect(control.claim(anna, 6)).toEqual({ kind: 'granted', from: bert });
  });

  test('is kept for a while for a holder that was cut off, who finds it as it was', () => {
    const control = annas();
    control.left(anna, 'broke', 5);
    expect(control.claim(bert, 5 + linger - 1)).toMatchObject({ kind: 'refused' });
    control.arrived(anna);
    expect(control.claim(bert, 5 + 9 * linger)).toMatchObject({ kind: 'refused' });
    expect(control.claim(anna, 5 + 9 * linger)).toEqual({ kind: 'held' });
  });

  test('is free when a holder that was cut off does not come back', () => {
    const control = annas();
    control.left(anna, 'broke', 5);
    expect(control.claim(bert, 5 + linger)).toEqual({ kind: 'granted', from: anna });
    control.arrived(anna);
    // Bert has no connection, but his is not one that broke.
    expect(control.stateFor(anna.id)).toMatchObject({ yours: false, holder: { name: 'bert' } });
  });

  test('the last of several connections decides how the holder went', () => {
    const control = annas();
    control.arrived(anna);
    control.left(anna, 'done', 5);
    control.left(anna, 'broke', 6);
    expect(control.claim(bert, 7)).toMatchObject({ kind: 'refused' });
  });

  test('is kept for a holder that was cut off, whoever of the same client looks and says goodbye', () => {
    const cut = annas();
    cut.left(anna, 'broke', 5);
    cut.arrived(anna);
    cut.left(anna, 'looked', 6);
    expect(cut.claim(bert, 4 + linger)).toMatchObject({ kind: 'refused' });
    expect(cut.claim(bert, 5 + linger)).toEqual({ kind: 'granted', from: anna });

    const cutMeanwhile = annas();
    cutMeanwhile.arrived(anna);
    cutMeanwhile.left(anna, 'broke', 5);
    cutMeanwhile.left(anna, 'looked', 6);
    expect(cutMeanwhile.claim(bert, 7)).toMatchObject({ kind: 'refused' });
  });

  test('stays free when its holder said goodbye and then only looks', () => {
    const control = annas();
    control.left(anna, 'done', 5);
    control.arrived(anna);
    control.left(anna, 'looked', 6);
    expect(control.claim(bert, 7)).toEqual({ kind: 'granted', from: anna });
  });

  test('outlives a restart of the worker, for as long as after a cut', () => {
    const control = new Control(anna, 1000);
    expect(control.stateFor(anna.id)).toMatchObject({ yours: true, holder: { connected: false } });
    expect(control.claim(bert, 999 + linger)).toMatchObject({ kind: 'refused' });
    expect(control.claim(anna, 2000)).toEqual({ kind: 'held' });
    expect(new Control(anna, 1000).claim(bert, 1000 + linger)).toMatchObject({ kind: 'granted' });
  });
});

describe('taking control', () => {
  test('takes it from the client that was seen to have it', () => {
    const control = annas();
    control.arrived(bert);
    const seen = control.stateFor(bert.id).holder?.id;
    expect(control.take(bert, seen, 1)).toEqual({ kind: 'granted', from: anna });
    expect(control.claim(anna, 2)).toEqual({ kind: 'refused', holder: bert });
  });

  test('takes nothing from anybody else', () => {
    const control = annas();
    control.arrived(bert);
    const seen = control.stateFor(bert.id).holder?.id;
    const carol = { id: 'client-carol', name: 'carol' };
    control.take(bert, seen, 1);
    // Carol decided while Anna had it.
    expect(control.take(carol, seen, 2)).toEqual({ kind: 'refused', holder: bert });
    expect(control.take(carol, undefined, 2)).toEqual({ kind: 'refused', holder: bert });
    expect(control.holder).toEqual(bert);
  });

  test('gets it where nobody is in the way', () => {
    expect(new Control(undefined, 0).take(bert, undefined, 1)).toMatchObject({ kind: 'granted' });
    const left = annas();
    left.left(anna, 'done', 1);
    expect(left.take(bert, undefined, 2)).toEqual({ kind: 'granted', from: anna });
    expect(annas().take(anna, undefined, 1)).toEqual({ kind: 'held' });
  });

  test('names clients by what does not tell their ids', () => {
    const seen = annas().stateFor(bert.id).holder;
    expect(seen).toEqual({ id: publicId(anna.id), name: 'anna', connected: true });
    expect(JSON.stringify(seen)).not.toContain(anna.id);
    expect(publicId(anna.id)).not.toBe(publicId(bert.id));
  });
});

test('a client that is called otherwise when it comes back is told by its new name', () => {
  const control = annas();
  control.arrived({ ...anna, name: 'anna-home' });
  expect(control.stateFor(bert.id).holder?.name).toBe('anna-home');
});
