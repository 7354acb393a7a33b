import type { Environment } from './look.ts';

/** What the terminal writes upon: decides which of two palettes can be read. */
export type Background = 'dark' | 'light';

/**
 * The background that the environment tells of: `TELETRAIN_BACKGROUND` (`dark` or `light`), else
 * `COLORFGBG` as rxvt, Konsole and iTerm2 set it, whose last part is one of the 16 colours.
 * Undefined: it says nothing.
 */
export function backgroundOfEnvironment(environment: Environment): Background | undefined {
  const wanted = environment.TELETRAIN_BACKGROUND;
  if (wanted === 'dark' || wanted === 'light') return wanted;
  const last = environment.COLORFGBG?.split(';').at(-1);
  if (last === undefined || !/^\d{1,2}$/.test(last)) return undefined;
  const colour = Number(last);
  return colour === 7 || (colour >= 9 && colour <= 15) ? 'light' : 'dark';
}

/** xterm's question for the background (OSC 11), and one that every terminal answers after it (DA1). */
const question = '\x1b]11;?\x1b\\\x1b[c';
const controlStart = '\u001b';
const colourAnswer = new RegExp(
  `${controlStart}\\]11;rgba?:([\\da-f]{1,4})/([\\da-f]{1,4})/([\\da-f]{1,4})[\\da-f/]*(?:\u0007|${controlStart}\\\\)`,
  'i',
);
const attributesAnswer = new RegExp(`${controlStart}\\[\\?[\\d;]*c`);
/** A terminal on another continent answers within it; one that never answers costs no more. */
const answerWithinMs = 400;

/**
 * Asks the terminal for its background. Keys that are typed meanwhile are left in `stdin`.
 * @returns undefined where the terminal does not say.
 */
export async function askBackground(
  stdin: NodeJS.ReadStream,
  stdout: NodeJS.WriteStream,
  withinMs = answerWithinMs,
): Promise<Background | undefined> {
  if (!stdin.isTTY || !stdout.isTTY) return undefined;
  let heard = '';
  stdin.setRawMode(true);
  const answered = new Promise<void>((resolve) => {
    const timer = setTimeout(finish, withinMs);
    function take(): void {
      for (let chunk = stdin.read(); chunk !== null; chunk = stdin.read()) heard += String(chunk);
      if (attributesAnswer.test(heard)) finish();
    }
    function finish(): void {
      clearTimeout(timer);
      stdin.removeListener('readable', take);
      resolve();
    }
    stdin.on('readable', take);
  });
  stdout.write(question);
  await answered;
  const colour = colourAnswer.exec(heard);
  const typed = heard.replace(colourAnswer, '').replace(attributesAnswer, '');
  if (typed !== '') stdin.unshift(Buffer.from(typed));
  return colour ? backgroundOf(colour.slice(1)) : undefined;
}

/** @param parts red, green and blue, each of one to four hexadecimal digits. */
function backgroundOf(parts: readonly string[]): Background {
  const [red = 0, green = 0, blue = 0] = parts.map(
    (part) => Number.parseInt(part, 16) / (16 ** part.length - 1),
  );
  return 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 ? 'light' : 'dark';
}

/** Whether what was typed is an answer that came too late to `askBackground`, without its first escape. */
export const isLateAnswer = (input: string): boolean =>
  /^\]?11;rgba?:[\da-f/]+$/i.test(input) || /^\[?\?[\d;]+c$/.test(input);
