/** Writes pickles as numpy under Python 2 wrote them (protocol 2), for tests. */

const text = (value: string) => Buffer.from(value, 'latin1');

export function integer(value: number): Buffer {
  if (value >= 0 && value < 256) {
    return Buffer.from([0x4b, value]);
  }
  const bytes = Buffer.alloc(5);
  bytes[0] = 0x4a;
  bytes.writeInt32LE(value, 1);
  return bytes;
}

/** `[…]`, closed by one APPENDS, or by APPEND for a single item, each with a memo as CPython writes. */
export function list(items: readonly Buffer[]): Buffer {
  const [only] = items;
  if (only && items.length === 1) {
    return Buffer.concat([text(']q\x07'), only, text('a')]);
  }
  return Buffer.concat([text(']r\x00\x01\x00\x00('), ...items, text('e')]);
}

export interface PickleParts {
  readonly reconstruct?: string;
  readonly type?: string;
  readonly shape?: readonly number[];
  readonly fortranOrder?: Buffer;
  readonly elements?: Buffer;
  readonly end?: string;
}

/** An object array of integer lists; parts may be replaced to make it wrong. */
export function pickledLists(
  lists: readonly (readonly number[])[],
  parts: PickleParts = {},
): Buffer {
  const shape = parts.shape ?? [lists.length];
  const type = parts.type ?? 'O8';
  return Buffer.concat([
    text('\x80\x02'),
    text(`c${parts.reconstruct ?? 'numpy.core.multiarray\n_reconstruct'}\nq\x01`),
    text('cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03(K\x01'),
    shape.length === 1
      ? Buffer.concat([integer(shape[0] ?? 0), text('\x85')])
      : Buffer.concat([text('('), ...shape.map(integer), text('t')]),
    text(`cnumpy\ndtype\nq\x04U${String.fromCharCode(type.length)}${type}K\x00K\x01\x87Rq\x05`),
    text('(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb'),
    parts.fortranOrder ?? text('\x89'),
    parts.elements ?? list(lists.map((values) => list(values.map(integer)))),
    text(parts.end ?? 'tb.'),
  ]);
}
