import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KnownTexts } from '../../../shared/known-texts.ts';

test('every text is read as UTF-8 is, however many others were read before it', () => {
  const known = new KnownTexts();
  // Few letters, so that texts of one length differ in little and come again.
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom('a', 'b', 'é', '😀'), maxLength: 6 }),
    fc.string({ unit: 'binary', maxLength: 40 }),
  );
  fc.assert(
    fc.property(fc.array(text, { maxLength: 200 }), (texts) => {
      for (const given of texts) {
        const bytes = Buffer.from(`<${given}>`);
        const end = bytes.length - 1;
        expect(known.text(bytes, 1, end)).toBe(bytes.toString('utf8', 1, end));
      }
    }),
  );
});

test('a text that comes again is the same one, and bytes that are no UTF-8 are what Node makes of them', () => {
  const known = new KnownTexts();
  const spoiled = Buffer.from([0x61, 0xff, 0xfe]);
  for (let times = 0; times < 3; times += 1) {
    expect(known.text(Buffer.from('seq'), 0, 3)).toBe('seq');
    expect(known.text(spoiled, 0, 3)).toBe('a\ufffd\ufffd');
  }
});

test('texts that want the same place are told apart', () => {
  const known = new KnownTexts();
  const names = Array.from({ length: 5_000 }, (_, index) => `name-${10_000 + index}`);
  const read = (name: string) => known.text(Buffer.from(name), 0, name.length);
  expect(names.map(read)).toEqual(names);
});
