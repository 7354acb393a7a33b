/** Versions of the protocol that one end speaks, from the lowest to the highest. */
export interface VersionRange {
  readonly min: number;
  readonly max: number;
}

/** The highest version that both ends speak; undefined where there is none. */
export function commonVersion(one: VersionRange, other: VersionRange): number | undefined {
  const highest = Math.min(one.max, other.max);
  return highest >= Math.max(one.min, other.min) ? highest : undefined;
}
