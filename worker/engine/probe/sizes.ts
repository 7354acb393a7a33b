/** A sequence's size; a picture's pixels are `rows` times `columns`, a sequence's timesteps too. */
export interface ProbeSize {
  readonly rows: number;
  readonly columns: number;
  readonly batch: number;
  readonly features: number;
  readonly units: number;
}

/**
 * Small enough to be done in a millisecond, and each one where implementations have gone wrong: units
 * that fill no vector, a single example, a single timestep.
 */
export const checkedSizes: readonly ProbeSize[] = [
  { rows: 2, columns: 3, batch: 3, features: 5, units: 7 },
  { rows: 3, columns: 1, batch: 1, features: 2, units: 1 },
  { rows: 1, columns: 1, batch: 4, features: 3, units: 8 },
];

/**
 * Large enough to tell one implementation's time from another's. A GPU gets a longer sequence: there
 * one operation for all timesteps costs much at its beginning, which it wins back over the hundreds of
 * timesteps that the recipes have.
 */
export const timedSizes: Readonly<Record<'cpu' | 'gpu', ProbeSize>> = {
  cpu: { rows: 3, columns: 4, batch: 32, features: 32, units: 32 },
  gpu: { rows: 8, columns: 16, batch: 64, features: 32, units: 32 },
};
