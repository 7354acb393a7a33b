#!/usr/bin/env node
/**
 * `npm test`: set-up, lint, type check, tests; each is also a command of its own. Arguments go to
 * vitest.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from './files.mjs';
import { fail, say } from './messages.mjs';
import { environmentWith } from './node-binary.mjs';
import { prepare } from './set-up.mjs';

let node;
try {
  node = prepare();
} catch (error) {
  fail(error);
}
const environment = { ...environmentWith(node) };
const nearbyData = path.join(root, '..', 'shared', 'data');
if (!environment.TELETRAIN_DATA && fs.existsSync(nearbyData)) {
  environment.TELETRAIN_DATA = nearbyData;
}

const modules = path.join(root, 'node_modules');
const engine = [path.join(root, 'dist', 'worker', 'native', 'set-up.js')];
const steps = [
  ['engine', engine],
  ['lint', [path.join(modules, '@biomejs', 'biome', 'bin', 'biome'), 'check']],
  ['types', [path.join(modules, 'typescript', 'bin', 'tsc'), '--noEmit', '-p', '.']],
  ['tests', [path.join(modules, 'vitest', 'vitest.mjs'), 'run', ...process.argv.slice(2)]],
];
const run = (args) =>
  spawnSync(node, args, { cwd: root, stdio: 'inherit', env: environment }).status === 0;

const failed = [];
for (const [name, args] of steps) {
  const started = Date.now();
  const passed = run(args);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  say(`${name}: ${passed ? 'passed' : 'failed'} in ${seconds} s`);
  if (!passed) failed.push(name);
}
sayEngine();
if (environment.TELETRAIN_DATA) {
  say(`data: ${environment.TELETRAIN_DATA}`);
} else {
  say(
    'data: mnist-10k alone. Not checked: imdb, mnist and binarized-mnist; set TELETRAIN_DATA to a folder that has them',
  );
}
if (failed.length > 0) say(`failed: ${failed.join(', ')}`);
process.exit(failed.length === 0 ? 0 : 1);

/** Which engine the tests ran on: one is opened, in the same environment, and reports. */
function sayEngine() {
  const doctor = path.join(root, 'dist', 'worker', 'native', 'doctor.js');
  const { stdout } = spawnSync(node, [doctor], { cwd: root, encoding: 'utf8', env: environment });
  let report;
  try {
    report = JSON.parse(stdout);
  } catch {
    say('engine: none could be opened');
    return;
  }
  const { engine, engineProblem } = report;
  if (!engine) {
    say(`engine: none. ${engineProblem.message} ${engineProblem.hint}`);
    return;
  }
  const { kind, device, gpu, cpu, threads, tensorflowVersion, tensorflowSource } = engine;
  const library = tensorflowVersion
    ? `TensorFlow ${tensorflowVersion} (${tensorflowSource?.origin})`
    : `tfjs ${engine.tfjsVersion}`;
  const where = device === 'gpu' ? `GPU ${gpu?.name}` : `CPU ${cpu}, ${threads} threads`;
  say(`engine: ${kind}, ${library}, on ${where}`);
  for (const { name, chosen, reason } of engine.candidates) {
    if (chosen) break;
    say(`engine: not ${name}: ${reason}`);
  }
}
