/**
 * Run as a process of its own: opens the best engine there is and prints one JSON document, a
 * `DoctorReport`, on standard output. Set-up progress goes to standard error.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { engineEnvironment } from './environment.ts';
import { examine } from './examine.ts';

const settings = await engineEnvironment();
if (settings.LD_LIBRARY_PATH !== undefined) {
  // The loader reads it when a process starts, so the work is for a process that starts with it.
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
    stdio: 'inherit',
    env: { ...process.env, ...settings },
  });
  child.on('exit', (code) => process.exit(code ?? 1));
} else {
  Object.assign(process.env, settings);
  const report = await examine((message) => process.stderr.write(`${message}\n`));
  process.stdout.write(`${JSON.stringify(report)}\n`);
}
