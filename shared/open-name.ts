import { z } from 'zod';

/**
 * A name out of a set that a newer version may add to (PROTOCOL.md, "Versions"): those that this
 * version knows are typed, and any other is taken too, so that an older end goes on.
 */
export const openName = <Known extends string>(): z.ZodType<Known | (string & {})> =>
  z.string().min(1).max(64);
