/**
 * Runs one recipe in the real engine process and prints its events, without a gateway:
 * `node test/integration/run-engine.ts <recipe> <folder> [key=value ...]`. Goes on when the folder
 * holds a checkpoint.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseSettingText, recipeNamed } from '../../shared/recipes.ts';
import { EngineDriver, startCommand } from './engine-driver.ts';

const [recipe = '', directory = '', ...settings] = process.argv.slice(2);
const { name, quick } = recipeNamed(recipe);
const isQuick = settings.includes('--quick');
const given = settings.filter((text) => text !== '--quick').map(parseSettingText);
await using engine = await EngineDriver.start();
process.on('SIGINT', () => engine.send({ type: 'stop', when: 'now' }));
const command = startCommand(
  name,
  directory,
  { ...(isQuick && quick), ...Object.fromEntries(given) },
  { resume: existsSync(join(directory, 'checkpoints')) },
);
engine.child.on('message', (message: (typeof engine.messages)[number]) => {
  if (message.type === 'event') {
    console.log(JSON.stringify(message.event, (key, value) => (key === 'pixels' ? '...' : value)));
  } else {
    console.error(JSON.stringify(message));
  }
});
engine.send(command);
await engine.untilEnd();
engine.send({ type: 'shutdown' });
await engine.exited;
