/**
 * Completes a digit whose upper half is drawn on this machine, with the weights that a run brought home.
 *
 *     node examples/complete-a-drawn-digit.ts [worker] [file]
 *
 * Without a name it takes the worker on this machine, and starts it where it does not run. A file holds
 * the drawing as text, up to 28 lines of up to 28 characters: a space is paper, anything else is ink.
 */
import { readFile } from 'node:fs/promises';
import { connect, newestSavedModel } from 'teletrain';

const [worker, file] = process.argv.slice(2);
const drawing = `




           ######
         ##########
        ####    ####
       ###        ###
       ##         ###
                  ###
                  ###
                 ###
                ####
              ####`;

const size = 28;
const lines = (file ? await readFile(file, 'utf8') : drawing).replace(/\n$/, '').split('\n');
const given = new Uint8Array(size * size);
for (const [row, line] of lines.slice(0, size).entries()) {
  for (const [column, character] of [...line].slice(0, size).entries()) {
    given[row * size + column] = character.trim() === '' ? 0 : 1;
  }
}

/** Two rows of pixels are a line of text, pictures are side by side. */
function asText(pixels: Uint8Array, count: number): string {
  const pixel = (picture: number, row: number, column: number) =>
    pixels[(picture * size + row) * size + column] ?? 0;
  return Array.from({ length: size / 2 }, (_, line) =>
    Array.from({ length: count }, (_, picture) =>
      Array.from(
        { length: size },
        (_, column) =>
          ' ▀▄█'[pixel(picture, 2 * line, column) + 2 * pixel(picture, 2 * line + 1, column)],
      ).join(''),
    ).join('  '),
  ).join('\n');
}

const saved = await newestSavedModel({ recipe: 'digits-pixel-rnn' });
if (saved === undefined) {
  console.error(
    'No model of digits is here yet. Train one: npx teletrain run digits-pixel-rnn --quick',
  );
  process.exit(1);
}
const session = await connect(worker, { onProgress: (message) => console.error(message) });
const model = session.createModel({ recipe: saved.recipe, settings: saved.settings });
const loaded = model.loadState(await saved.readWeights());
const completed = model.sample({
  given: { values: given, shape: [1, size, size, 1] },
  givenRows: Math.min(lines.length, size),
  count: 2,
  seed: Date.now() % 2 ** 32,
});
await loaded;
console.log(`completed by run ${saved.run}, step ${saved.step}:`);
console.log(asText((await completed).pixels, 2));
session.close();
