import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { readJson, root } from './files.mjs';
import { SetupError, say } from './messages.mjs';

/** Installs with npm what the lock file names and node_modules lacks; nothing when nothing is missing. */
export function installMissing() {
  const omitsOptional = wantsNoOptional();
  const missing = findMissing(omitsOptional);
  if (missing.length === 0) return;
  say(
    fs.existsSync(path.join(root, 'node_modules'))
      ? `installing packages again (${missing[0]} is missing or of another version)`
      : 'installing packages (once, about 20 s with a warm cache)',
  );
  const started = Date.now();
  const optional = omitsOptional ? '--omit=optional' : '--include=optional';
  const onlyCompiler = omitsOptional && missing.join() === compilerPackage();
  if (!onlyCompiler) runNpm(['ci', '--include=dev', optional, ...quiet]);
  if (omitsOptional) installCompiler();
  const still = findMissing(omitsOptional);
  if (still.length > 0) {
    throw new SetupError(
      `npm installed everything but ${still.join(', ')}.`,
      `Run "npm ci --include=dev ${optional}" in ${root} and read what it says.`,
    );
  }
  say(`packages installed in ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];

function runNpm(args) {
  const viaNode = process.env.npm_execpath;
  const [file, first] =
    viaNode && /\.c?js$/.test(viaNode) ? [process.execPath, [viaNode]] : ['npm', []];
  const result = spawnSync(file, [...first, ...args], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32' && file === 'npm',
  });
  if (result.error) {
    throw new SetupError('npm could not be started.', 'Install Node with npm, then try again.');
  }
  if (result.status !== 0) {
    throw new SetupError(
      `npm ${args[0]} failed (its words are above).`,
      'Check the network and the package registry that npm is set to, then try again.',
    );
  }
}

/**
 * The compiler's platform package is one of TypeScript's optional dependencies, so an install
 * without optional packages lacks it, and a clone cannot do without.
 */
function installCompiler() {
  const lock = readJson('package-lock.json');
  const name = compilerPackage();
  const entry = lock?.packages[`node_modules/${name}`];
  if (!entry) return;
  runNpm([
    'install',
    '--no-save',
    '--no-package-lock',
    '--include=dev',
    '--omit=optional',
    ...quiet,
    `${name}@${entry.version}`,
  ]);
}

function compilerPackage() {
  return `@typescript/typescript-${process.platform}-${process.arch}`;
}

/** An install that left the optional packages out was meant so, and is left so. */
function wantsNoOptional() {
  const asked = process.env.npm_config_omit || '';
  if (asked.split(/[\s,]+/).includes('optional')) return true;
  const installed = readJson('node_modules/.package-lock.json');
  const manifest = readJson('package.json');
  if (!installed || !manifest) return false;
  const has = (name) => Boolean(installed.packages[`node_modules/${name}`]);
  return (
    Object.keys(manifest.dependencies).some(has) &&
    !Object.keys(manifest.optionalDependencies).some(has)
  );
}

/**
 * Packages that must be here and are absent or of another version. An optional package must be
 * here when `package.json` names it or when it is made for this very platform; others are only
 * there with what needs them.
 */
function findMissing(omitsOptional) {
  const wanted = readJson('package-lock.json');
  const installed = readJson('node_modules/.package-lock.json');
  const manifest = readJson('package.json');
  if (!wanted || !manifest) {
    throw new SetupError('package.json or package-lock.json is missing.', 'Restore it from git.');
  }
  if (!installed) return ['everything'];
  const isNeeded = (place, entry) => {
    if (place === '' || !fitsPlatform(entry)) return false;
    if (!entry.optional && !entry.devOptional) return true;
    if (place === `node_modules/${compilerPackage()}`) return true;
    const name = place.replace('node_modules/', '');
    return !omitsOptional && (entry.os !== undefined || name in manifest.optionalDependencies);
  };
  return Object.entries(wanted.packages)
    .filter(([place, entry]) => isNeeded(place, entry))
    .filter(([place, entry]) => {
      const found = installed.packages[place];
      const isThere = found && fs.existsSync(path.join(root, place, 'package.json'));
      return !isThere || found.version !== entry.version;
    })
    .map(([place]) => place.replace('node_modules/', ''));
}

function fitsPlatform(entry) {
  return (
    allows(entry.os, process.platform) &&
    allows(entry.cpu, process.arch) &&
    allows(entry.libc, libc())
  );
}

function allows(list, value) {
  if (list === undefined || value === undefined) return true;
  const names = [].concat(list);
  if (names.includes(`!${value}`)) return false;
  return names.includes(value) || names.every((name) => name.startsWith('!'));
}

function libc() {
  if (process.platform !== 'linux') return undefined;
  const { header } = process.report.getReport();
  return header.glibcVersionRuntime ? 'glibc' : 'musl';
}
