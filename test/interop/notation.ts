/**
 * How the vectors write values that JSON has no words for: bytes are `{"$bytes": "00ff"}`, and
 * numbers that are not finite `{"$number": "NaN"}`, as is the negative zero.
 */

export function toNotation(value: unknown): unknown {
  if (typeof value === 'number' && !Number.isFinite(value)) return { $number: String(value) };
  if (Object.is(value, -0)) return { $number: '-0' };
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('hex') };
  return mapped(value, toNotation);
}

export function fromNotation(value: unknown): unknown {
  if (typeof value === 'object' && value !== null) {
    if ('$number' in value) return Number(value.$number);
    if ('$bytes' in value) return fromHex(String(value.$bytes));
  }
  return mapped(value, fromNotation);
}

export const fromHex = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

function mapped(value: unknown, change: (part: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map(change);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, change(part)]));
}
