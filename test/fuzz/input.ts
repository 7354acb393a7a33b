/** What a target is given: messages in their order. In text: each in hexadecimal, with dots between. */
export type Input = readonly Uint8Array[];

export const inputToText = (input: Input): string =>
  input.map((message) => Buffer.from(message).toString('hex')).join('.');

export const inputFromText = (text: string): Input =>
  text.split('.').map((hex) => Buffer.from(hex, 'hex'));

/**
 * The smallest input that still fails: messages and stretches of bytes are left out for as long as
 * it does (Zeller and Hildebrandt 2002, delta debugging).
 */
export async function smallest(
  input: Input,
  fails: (input: Input) => Promise<boolean>,
  mostTries = 400,
): Promise<Input> {
  let best = input;
  let tries = 0;
  const attempt = async (candidate: Input): Promise<boolean> => {
    tries += 1;
    if (tries > mostTries || !(await fails(candidate))) return false;
    best = candidate;
    return true;
  };
  for (let place = best.length - 1; place >= 0 && best.length > 1; place -= 1) {
    await attempt(best.toSpliced(place, 1));
  }
  for (let place = 0; place < best.length; place += 1) {
    for (let length = Math.ceil((best[place]?.length ?? 0) / 2); length >= 1; length >>= 1) {
      for (let at = 0; at < (best[place]?.length ?? 0); ) {
        const message = Buffer.from(best[place] ?? []);
        const shorter = Buffer.concat([message.subarray(0, at), message.subarray(at + length)]);
        if (!(await attempt(best.with(place, shorter)))) at += length;
      }
    }
  }
  return best;
}
