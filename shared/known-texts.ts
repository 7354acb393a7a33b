/**
 * Short texts that were read lately. Keys, names and ids come again with every message: found here,
 * they cost neither a call into native code nor memory of their own. It has a fixed number of places,
 * and a text takes that of another, so a stranger can fill it and no more.
 */
export class KnownTexts {
  readonly #texts: (string | undefined)[] = new Array(places).fill(undefined);

  /** The text of UTF-8 that `bytes[at .. end)` is. */
  text(bytes: Buffer, at: number, end: number): string {
    let hash = end - at;
    for (let place = at; place < end; place += 1) {
      hash = Math.imul(hash ^ (bytes[place] ?? 0), 0x0100_0193);
    }
    const place = (hash ^ (hash >>> 15)) & (places - 1);
    const known = this.#texts[place];
    if (known !== undefined && isThat(known, bytes, at, end)) return known;
    const text = bytes.toString('utf8', at, end);
    this.#texts[place] = text;
    return text;
  }
}

/** A power of two. */
const places = 1024;

/** Never of a text with other characters than ASCII: it has more bytes than characters, or others. */
function isThat(text: string, bytes: Buffer, at: number, end: number): boolean {
  if (text.length !== end - at) return false;
  for (let place = 0; place < text.length; place += 1) {
    if (text.charCodeAt(place) !== bytes[at + place]) return false;
  }
  return true;
}
