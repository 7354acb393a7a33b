import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import type { Implementation } from '../../../../../worker/engine/ops/choose.ts';
import { onEachEngine, randomTensor } from '../on-each-engine.ts';
import { givenTo, type RecurrentCase, recurrentCases, type Size } from './recurrent-cases.ts';

const [rows, columns, features, units] = [4, 3, 5, 9];
const places = rows * columns;
/** One example for each place whose input is changed, so that all have one order in a batch. */
const size: Size = { rows, columns, batch: places, features, units };

type Pair = [changed: number, place: number];

/**
 * Changes the inputs of example n at place n.
 * @returns each changed place with those whose outputs have another bit
 */
function influence(layer: RecurrentCase, implementation: Implementation): Pair[] {
  const [inputs, ...others] = givenTo(layer, size) as [tf.Tensor, ...tf.Tensor[]];
  const eye = tf.reshape(tf.eye(places), [places, places, 1]);
  const changes = tf.mul(eye, randomTensor('changes', [places, places, features]));
  const outputsOf = (given: tf.Tensor) => {
    const [outputs] = layer.run(implementation, size)(given, ...others);
    return new Uint32Array((outputs as tf.Tensor).dataSync().slice().buffer);
  };
  const [before, after] = [outputsOf(inputs), outputsOf(tf.add(inputs, changes))];
  return allPairs.filter(([changed, place]) => {
    const from = (place * places + changed) * units;
    const bits = (values: Uint32Array) => values.slice(from, from + units).join();
    return bits(before) !== bits(after);
  });
}

const allPairs = Array.from(
  { length: places ** 2 },
  (_, pair): Pair => [Math.floor(pair / places), pair % places],
);

/** Whether what is computed at a place may know a changed one. */
function mayKnow(name: string, changed: number, place: number): boolean {
  if (!name.startsWith('Diagonal')) return changed <= place;
  const [row, column] = [Math.floor(place / columns), place % columns];
  const [changedRow, changedColumn] = [Math.floor(changed / columns), changed % columns];
  const isBeside = name.endsWith('left') ? changedColumn <= column : changedColumn >= column;
  return changedRow <= row && isBeside;
}

onEachEngine(() => {
  describe.each(Object.entries(recurrentCases))('%s', (name, layer) => {
    it.each(['best', 'operations', 'composed'] as const)(
      'knows what came before and not a bit of what comes after (%s)',
      (implementation) => {
        const known = allPairs.filter(([changed, place]) => mayKnow(name, changed, place));
        expect(influence(layer, implementation)).toEqual(known);
      },
    );
  });
});
