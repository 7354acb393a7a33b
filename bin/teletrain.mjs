#!/usr/bin/env node
/**
 * The program's entry. In a clone it first installs and compiles what is missing; then it runs
 * teletrain itself, in this process when this Node is new enough, else under the Node that the
 * platform's package brought.
 */
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './files.mjs';
import { fail } from './messages.mjs';
import { environmentWith } from './node-binary.mjs';
import { becomeChild } from './run-child.mjs';
import { prepare } from './set-up.mjs';

const main = path.join(root, 'dist', 'client', 'cli', 'main.js');
let node;
try {
  node = prepare();
} catch (error) {
  fail(error);
}
if (node === process.execPath) {
  Object.assign(process.env, environmentWith(node));
  process.argv[1] = main;
  await import(pathToFileURL(main).href);
} else {
  becomeChild(node, [main, ...process.argv.slice(2)], environmentWith(node));
}
