/**
 * Run as a process of its own: sets the native engine up with one line of progress a step, and
 * says which engine will run and why nothing better. Exits with 1 only when
 * `TELETRAIN_REQUIRE_ENGINE` asks for what this machine cannot give.
 */
import { ensureEngine } from './ensure-engine.ts';

const say = (message: string) => process.stderr.write(`teletrain: ${message}\n`);

const outcome = await ensureEngine({ onProgress: ({ message }) => say(message) });
if ('binding' in outcome) {
  const { version, origin, directory } = outcome.binding.tensorflow;
  say(`engine: native, TensorFlow ${version} (${origin}, ${directory})`);
} else {
  const { message, hint } = outcome.problem;
  say(`engine: WebAssembly, slow. ${message} ${hint}`);
  const required = process.env.TELETRAIN_REQUIRE_ENGINE;
  if (required === 'native' || required === 'gpu') {
    say(`TELETRAIN_REQUIRE_ENGINE=${required} cannot be met`);
    process.exitCode = 1;
  }
}
