import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { UsageError } from '../../shared/errors.ts';
import { type RoleName, roleNameSchema } from '../../shared/messages.ts';
import type { System } from '../../shared/system.ts';
import { FileLock } from './file-lock.ts';
import type { ClientFolders } from './folders.ts';
import { makePrivateFolder } from './folders.ts';
import { readJsonFile, writePrivateFile } from './private-file.ts';
import { nodeSystem } from './system.ts';

/** The name of the worker that this client starts on this machine. */
export const localName = 'local';

const pairedWorkerSchema = z.object({
  name: z.string().min(1).max(64),
  url: z.string(),
  /** Stable per worker home, so that a worker paired again is known again. */
  id: z.string(),
  token: z.string(),
  addedAt: z.number(),
  /** Of the token; absent where the worker that gave it knew no roles. */
  role: roleNameSchema.optional(),
  /** Of the worker's key, where it is trusted by that. */
  pin: z.string().optional(),
});
export type PairedWorker = z.infer<typeof pairedWorkerSchema>;

const workersSchema = z.object({ format: z.literal(1), workers: z.array(pairedWorkerSchema) });
const identitySchema = z.object({ id: z.string().min(8).max(64) });

/** The paired workers and their tokens, in one file that only its owner can read. */
export class PairedWorkers {
  readonly #folders: ClientFolders;
  readonly #system: System;

  constructor(folders: ClientFolders, system: System = nodeSystem) {
    this.#folders = folders;
    this.#system = system;
  }

  /** In the order in which they were added. */
  async all(): Promise<readonly PairedWorker[]> {
    const file = await readJsonFile(this.#folders.workersFile, workersSchema, this.#system);
    return file?.workers ?? [];
  }

  async named(name: string): Promise<PairedWorker | undefined> {
    return (await this.all()).find((worker) => worker.name === name);
  }

  async at(url: string): Promise<PairedWorker | undefined> {
    return (await this.all()).findLast((worker) => worker.url === url);
  }

  /**
   * Remembers a worker. One that is known by its id keeps its name, unless another is wished.
   * @throws UsageError `name-taken` where the wished name is another worker's.
   */
  async add(paired: {
    id: string;
    url: string;
    token: string;
    ownName: string;
    wishedName: string | undefined;
    role?: RoleName | undefined;
    pin?: string | undefined;
    now: number;
  }): Promise<PairedWorker> {
    return this.#change((workers) => {
      const known = workers.find((worker) => worker.id === paired.id);
      const others = workers.filter((worker) => worker.id !== paired.id);
      const taken = new Set([localName, ...others.map((worker) => worker.name)]);
      if (paired.wishedName !== undefined) refuseTaken(paired.wishedName, taken);
      const name = paired.wishedName ?? known?.name ?? freeName(paired.ownName, taken);
      const { id, url, token, role, pin } = paired;
      const addedAt = known?.addedAt ?? paired.now;
      const more = { ...(role ? { role } : {}), ...(pin ? { pin } : {}) };
      const worker: PairedWorker = { name, url, id, token, addedAt, ...more };
      return { workers: [...others, worker], result: worker };
    });
  }

  /** @throws UsageError `bad-name`, `name-taken`: what can be told before the worker is asked. */
  requireName(name: string): void {
    // Whether another name is taken shows only once the worker says who it is.
    if (name === localName) refuseTaken(name, new Set([localName]));
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) {
      throw new UsageError(
        'bad-name',
        `"${name}" cannot be a worker's name.`,
        'Use letters, digits, dots and dashes, at most 64.',
      );
    }
  }

  /** @returns whether it was known. */
  async remove(name: string): Promise<boolean> {
    return this.#change((workers) => {
      const kept = workers.filter((worker) => worker.name !== name);
      return { workers: kept, result: kept.length < workers.length };
    });
  }

  /** Who this installation is to every worker; made at its first use. */
  async clientId(): Promise<string> {
    const { identityFile, state } = this.#folders;
    const known = await readJsonFile(identityFile, identitySchema, this.#system);
    if (known) return known.id;
    await makePrivateFolder(state, this.#system);
    await using _ = await FileLock.take(`${identityFile}.lock`, undefined, this.#system);
    const meanwhile = await readJsonFile(identityFile, identitySchema, this.#system);
    if (meanwhile) return meanwhile.id;
    const id = randomUUID();
    await writePrivateFile(identityFile, `${JSON.stringify({ id })}\n`, this.#system);
    return id;
  }

  async #change<Result>(
    change: (workers: readonly PairedWorker[]) => { workers: PairedWorker[]; result: Result },
  ): Promise<Result> {
    const { workersFile, state } = this.#folders;
    await makePrivateFolder(state, this.#system);
    await using _ = await FileLock.take(`${workersFile}.lock`, undefined, this.#system);
    const { workers, result } = change(await this.all());
    const file = { format: 1, workers };
    await writePrivateFile(workersFile, `${JSON.stringify(file, null, 2)}\n`, this.#system);
    return result;
  }
}

function refuseTaken(name: string, taken: ReadonlySet<string>): void {
  if (!taken.has(name)) return;
  const why = name === localName ? 'is kept for the worker on this machine' : 'is another worker';
  throw new UsageError(
    'name-taken',
    `The name "${name}" ${why}.`,
    'Choose another name with --name.',
  );
}

function freeName(wished: string, taken: ReadonlySet<string>): string {
  const plain = wished.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '') || 'worker';
  if (!taken.has(plain)) return plain;
  for (let number = 2; ; number += 1) {
    const name = `${plain}-${number}`;
    if (!taken.has(name)) return name;
  }
}
