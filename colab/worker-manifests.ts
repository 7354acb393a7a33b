import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/**
 * Packages that only a laptop needs: the dashboard's, the command line's, and Node itself, which
 * the notebook takes from PyPI. All others go to the VM, so that a new dependency is never missed.
 */
const laptopOnly = /^(?:ink|react|commander|node-(?:bin-)?(?:linux|darwin|win)-?.*)$/;

const specsSchema = z.record(z.string(), z.string()).default({});
const packageSchema = z.object({
  version: z.string(),
  license: z.string(),
  dependencies: specsSchema,
  optionalDependencies: specsSchema,
  overrides: z.record(z.string(), z.unknown()).optional(),
});
const entrySchema = z.looseObject({
  dependencies: specsSchema,
  optionalDependencies: specsSchema,
  peerDependencies: specsSchema,
  peerDependenciesMeta: z
    .record(z.string(), z.object({ optional: z.boolean().optional() }))
    .default({}),
});
const lockSchema = z.object({
  lockfileVersion: z.literal(3),
  packages: z.record(z.string(), entrySchema),
});

type LockPackages = z.infer<typeof lockSchema>['packages'];

/**
 * `package.json` and `package-lock.json` of the worker alone: the project's, without what only a
 * laptop needs. What the engine needs is optional in the project and required here.
 *
 * @param project The clone: an installed package has no lockfile, for npm packs none.
 */
export async function workerManifests(project: string): Promise<{ package: string; lock: string }> {
  const own = packageSchema.parse(await readJson(join(project, 'package.json')));
  const lock = lockSchema.parse(await readJson(join(project, 'package-lock.json')));
  const dependencies = Object.fromEntries(
    Object.entries({ ...own.dependencies, ...own.optionalDependencies })
      .filter(([name]) => !laptopOnly.test(name))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  const worker = {
    name: 'teletrain-worker',
    version: own.version,
    license: own.license,
    private: true,
    type: 'module',
    dependencies,
    ...(own.overrides ? { overrides: own.overrides } : {}),
  };
  const { name, version, license } = worker;
  const packages = {
    '': { name, version, license, dependencies },
    ...reachable(lock.packages, dependencies),
  };
  return {
    package: toText(worker),
    lock: toText({ name, version, lockfileVersion: 3, requires: true, packages }),
  };
}

/** The entries that these dependencies lead to. */
function reachable(
  all: LockPackages,
  roots: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const required = new Set<string>();
  const optional = new Set<string>();
  const visit = (path: string | undefined, isOptional: boolean) => {
    const entry = path === undefined ? undefined : all[path];
    if (path === undefined || !entry || required.has(path) || (isOptional && optional.has(path)))
      return;
    (isOptional ? optional : required).add(path);
    for (const name of Object.keys(entry.dependencies)) visit(locate(all, path, name), isOptional);
    for (const name of Object.keys(entry.peerDependencies)) {
      const may = entry.peerDependenciesMeta[name]?.optional === true;
      if (!may) visit(locate(all, path, name), isOptional);
    }
    for (const name of Object.keys(entry.optionalDependencies))
      visit(locate(all, path, name), true);
  };
  for (const name of Object.keys(roots)) visit(locate(all, '', name), false);
  const kept = [...new Set([...required, ...optional])].sort();
  return Object.fromEntries(kept.map((path) => [path, lockEntry(all[path], !required.has(path))]));
}

/** Where Node finds a package: beside the one that asks for it, else further up. */
function locate(all: LockPackages, from: string, name: string): string | undefined {
  for (
    let folder = from;
    ;
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))
  ) {
    const path = `${folder === '' ? '' : `${folder}/`}node_modules/${name}`;
    if (all[path]) return path;
    if (folder === '') return undefined;
  }
}

/** As in the project's lockfile, but for the marks that depend on who asks for it. */
function lockEntry(entry: LockPackages[string] | undefined, isOptional: boolean): unknown {
  const kept = Object.entries(entry ?? {}).filter(
    ([key, value]) => !['dev', 'optional', 'devOptional', 'peer'].includes(key) && !isEmpty(value),
  );
  return { ...Object.fromEntries(kept), ...(isOptional ? { optional: true } : {}) };
}

/** What the schema filled in is left out again. */
function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

async function readJson(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, 'utf8'));
}

const toText = (value: unknown): string => `${JSON.stringify(value, null, 1)}\n`;
