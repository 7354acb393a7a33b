import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { parseConnectionUrl } from '../../shared/connection-url.ts';
import { TeletrainError, UsageError } from '../../shared/errors.ts';
import type { Hello } from '../../shared/messages.ts';
import { pinPattern } from '../../shared/pin.ts';
import type { System } from '../../shared/system.ts';
import { version } from '../../shared/version.ts';
import type { ConnectionTimes } from './connection-times.ts';
import type { Away, Endpoint } from './current-socket.ts';
import { unknownWorker } from './errors.ts';
import type { LocalWorker, StartLocalOptions } from './local-worker.ts';
import type { OpenSocket } from './socket.ts';
import type { Invitation, WorkerReference, WorkerState } from './types.ts';
import { WorkerLink, type WorkerLinkOptions } from './worker-link.ts';
import { localName, type PairedWorker, type PairedWorkers } from './workers.ts';

/** How long a command waits for a worker that it needs now. */
export const connectPatienceMs = 20_000;
/** How long the state of a worker is waited for that may well be away. */
const infoPatienceMs = 5_000;

export interface WorkerLinksOptions {
  readonly paired: PairedWorkers;
  readonly local: LocalWorker;
  readonly system: System;
  readonly openSocket?: OpenSocket | undefined;
  readonly times?: Partial<ConnectionTimes> | undefined;
}

/** The workers that this program can reach, and its one connection to each of them. */
export class WorkerLinks {
  readonly #options: WorkerLinksOptions;
  readonly #links = new Map<string, WorkerLink>();
  readonly #closing = new AbortController();
  #identity: Promise<Hello['client']> | undefined;
  /** How the local worker is started again when it is gone, since this program needs it. */
  #keepsLocal: StartLocalOptions | undefined;

  constructor(options: WorkerLinksOptions) {
    this.#options = options;
  }

  async workers(): Promise<readonly WorkerReference[]> {
    const local = await this.#localReference();
    const paired = (await this.#options.paired.all()).map(referenceTo);
    return local ? [local, ...paired] : paired;
  }

  /** See TeletrainClient.connectWorker. */
  async pair(
    text: string,
    options: { code: string; name?: string; pin?: string; signal?: AbortSignal },
  ): Promise<WorkerReference> {
    const { pin } = options;
    const { paired, system } = this.#options;
    const url = parseConnectionUrl(text);
    if (options.name !== undefined) paired.requireName(options.name);
    if (pin !== undefined) requirePin(pin, url);
    const auth = { code: options.code.trim() };
    const link = await this.#make(async () => ({ url, auth, pin }));
    try {
      // A mistyped address is told at once.
      const { token, worker, role } = await link.connected({
        ...patient(options.signal),
        attempts: 1,
      });
      if (token === undefined) {
        throw new TeletrainError('no-token', 'The worker took the code but gave no token.', {
          hint: 'Use the same version of teletrain on both ends.',
        });
      }
      const added = await paired.add({
        id: worker.id,
        url,
        token,
        ownName: worker.name,
        wishedName: options.name,
        role,
        pin,
        now: system.clock.now(),
      });
      this.#drop(added.name);
      return referenceTo(added);
    } finally {
      link.close();
    }
  }

  /** See TeletrainClient.workerInfo. */
  async info(name: string, { glance = false } = {}): Promise<WorkerState> {
    await this.#requireRunning(name);
    if (!glance || this.#links.has(name)) return await askState(await this.to(name));
    const link = await this.#link(name, { glance });
    try {
      return await askState(link);
    } finally {
      link.close();
    }
  }

  async stop(name: string): Promise<void> {
    const { local } = this.#options;
    await this.#requireRunning(name);
    const address = name === localName ? await local.address() : undefined;
    const link = await this.to(name);
    if (name === localName) this.#keepsLocal = undefined;
    await link.connected({ ...patient(), attempts: 2 });
    await link.request('worker.stop', {}, { patienceMs: connectPatienceMs });
    if (address) await local.gone(address);
  }

  /** See TeletrainClient.inviteObserver. */
  async invite(given: string | undefined, guest: string | undefined): Promise<Invitation> {
    const { name, link } = await this.reachKnown(given);
    const params = guest === undefined ? {} : { name: guest };
    const { result } = await link.request('observer.invite', params, patient());
    const { url } = await this.placeAt(name, link);
    const pin = (await this.#options.paired.named(name))?.pin;
    return { worker: name, url, ...(pin === undefined ? {} : { pin }), ...result };
  }

  /** See TeletrainClient.takeControl. */
  async takeControl(given: string | undefined): Promise<{ worker: string; from?: string }> {
    const { name: worker, link } = await this.reachKnown(given);
    const { control } = (await link.request('worker.info', {}, patient())).result;
    const holder = control?.holder;
    await link.request('control.take', holder ? { from: holder.id } : {}, patient());
    const wasThere = holder?.connected && !control?.yours;
    return { worker, ...(wasThere ? { from: holder.name } : {}) };
  }

  async forget(name: string): Promise<void> {
    if (!(await this.#options.paired.remove(name))) throw unknownWorker(name);
    this.#drop(name);
  }

  /** The local worker, started and set up if need be, and started again while this program lives. */
  async ensureLocal(options: StartLocalOptions): Promise<WorkerReference> {
    const dataDir = options.dataDir === undefined ? undefined : resolve(options.dataDir);
    if (dataDir !== undefined) await this.#endLocalUnlessAt(dataDir);
    await this.#options.local.ensure({ ...options, dataDir });
    this.#keepsLocal = { dataDir };
    const reference = await this.#localReference();
    if (reference) return reference;
    throw new TeletrainError('local-worker-failed', 'The worker on this machine ended at once.', {
      hint: 'See what teletrain doctor says.',
    });
  }

  /** Whether asking the worker can be of use: a local one that does not run is not started for it. */
  async mayBeThere(name: string): Promise<boolean> {
    return name !== localName || (await this.#options.local.address()) !== undefined;
  }

  /**
   * The name of the worker that is meant by a name or an address; the local one by nothing.
   * @throws UsageError `not-paired`, `bad-url`.
   */
  async choose(on: string | undefined): Promise<string> {
    const { paired } = this.#options;
    if (on === undefined || on === localName) return localName;
    if (await paired.named(on)) return on;
    if (!/[:/]/.test(on)) throw unknownWorker(on);
    const url = parseConnectionUrl(on);
    const found = await paired.at(url);
    if (found) return found.name;
    throw new UsageError(
      'not-paired',
      `This machine is not paired with the worker at ${url}.`,
      `Pair with it: teletrain connect ${url}, with the code it prints.`,
    );
  }

  /**
   * The worker that a command about a worker means; by nothing the only one there is.
   * @throws UsageError `not-paired`, `bad-url`, `which-worker`; TeletrainError `worker-not-running`.
   */
  async chooseKnown(given: string | undefined): Promise<string> {
    if (given !== undefined) {
      const name = await this.choose(given);
      await this.#requireRunning(name);
      return name;
    }
    const names = (await this.workers()).map(({ name }) => name);
    const [only, ...others] = names;
    if (only !== undefined && others.length === 0) return only;
    throw new UsageError(
      'which-worker',
      only === undefined ? 'There is no worker yet.' : 'There are several workers.',
      only === undefined
        ? 'Pair with one: teletrain connect <url>.'
        : `Name one of them: ${names.join(', ')}.`,
    );
  }

  /** As `chooseKnown`, and connected to it. @throws TeletrainError `worker-lost`, the refusal. */
  async reachKnown(given: string | undefined): Promise<{ name: string; link: WorkerLink }> {
    const name = await this.chooseKnown(given);
    const link = await this.to(name);
    await link.connected({ ...patient(), attempts: 2 });
    return { name, link };
  }

  /**
   * The connection to a worker, which connects when it is first used.
   * @param lastEpoch of the worker when a run was last followed there.
   * @throws UsageError `not-paired`.
   */
  async to(name: string, lastEpoch?: string): Promise<WorkerLink> {
    const known = this.#links.get(name);
    if (known) return known;
    const link = await this.#link(name, { lastEpoch });
    // Another caller may have been first in the meantime.
    const meanwhile = this.#links.get(name);
    if (meanwhile) return meanwhile;
    this.#links.set(name, link);
    return link;
  }

  /** A connection of its own. @throws UsageError `not-paired`. */
  async #link(
    name: string,
    known: { readonly lastEpoch?: string | undefined; readonly glance?: boolean },
  ): Promise<WorkerLink> {
    if (name === localName) return this.#make(() => this.#localEndpoint(), known);
    const { role } = await this.#requirePaired(name);
    return this.#make(() => this.#pairedEndpoint(name), { ...known, role });
  }

  /** What is remembered of where a run is. */
  async placeAt(
    name: string,
    link: WorkerLink,
  ): Promise<{ worker: string; url: string; epoch?: string }> {
    const { paired, local } = this.#options;
    const url = (await paired.named(name))?.url ?? (await local.address())?.url ?? '';
    const epoch = link.welcome?.worker.epoch;
    return { worker: name, url, ...(epoch === undefined ? {} : { epoch }) };
  }

  /** Who this program is to a worker. */
  client(): Promise<Hello['client']> {
    this.#identity ??= this.#options.paired
      .clientId()
      .then((id) => ({ id, name: ownName(), version }));
    return this.#identity;
  }

  close(): void {
    this.#closing.abort();
    for (const name of [...this.#links.keys()]) this.#drop(name);
  }

  /** @throws TeletrainError `worker-not-running` for the local worker. */
  async #requireRunning(name: string): Promise<void> {
    if (await this.mayBeThere(name)) return;
    throw new TeletrainError('worker-not-running', 'No worker of this home runs on this machine.', {
      hint: 'There is nothing to do: a run starts one when it needs it.',
    });
  }

  async #pairedEndpoint(name: string): Promise<Endpoint> {
    const { url, token, pin } = await this.#requirePaired(name);
    return { url, auth: { token }, pin };
  }

  /** @throws UsageError `not-paired`. */
  async #requirePaired(name: string): Promise<PairedWorker> {
    const paired = await this.#options.paired.named(name);
    if (!paired) throw unknownWorker(name);
    return paired;
  }

  /** A worker looks for datasets where it was told at its start: to be told anew it starts anew. */
  async #endLocalUnlessAt(dataDir: string): Promise<void> {
    const { local } = this.#options;
    if (!(await local.address()) || (await local.dataDir()) === dataDir) return;
    const { activeRun } = await this.info(localName);
    if (activeRun !== undefined) {
      throw new TeletrainError(
        'worker-busy',
        `The worker on this machine is busy with run "${activeRun}" and was started with another data folder.`,
        { hint: `Wait for it, or stop it with "teletrain stop ${activeRun}".` },
      );
    }
    await this.stop(localName);
  }

  #localEndpoint(): Promise<Endpoint | Away> {
    const { local } = this.#options;
    const needed = this.#keepsLocal;
    return needed ? local.ensure({ ...needed, signal: this.#closing.signal }) : local.endpoint();
  }

  async #make(
    endpoint: () => Promise<Endpoint | Away>,
    known: Pick<WorkerLinkOptions, 'role' | 'glance'> & { lastEpoch?: string | undefined } = {},
  ): Promise<WorkerLink> {
    const { lastEpoch, role, glance } = known;
    const { system, openSocket, times } = this.#options;
    return new WorkerLink({
      client: await this.client(),
      endpoint,
      system,
      ...(openSocket ? { openSocket } : {}),
      ...(times ? { times } : {}),
      ...(lastEpoch === undefined ? {} : { lastEpoch }),
      role,
      glance,
    });
  }

  #drop(name: string): void {
    this.#links.get(name)?.close();
    this.#links.delete(name);
  }

  async #localReference(): Promise<WorkerReference | undefined> {
    const local = await this.#options.local.address();
    return local && { name: localName, url: local.url, local: true, addedAt: local.startedAt };
  }
}

async function askState(link: WorkerLink): Promise<WorkerState> {
  await link.connected({ patienceMs: infoPatienceMs, attempts: 2 });
  const askedAt = performance.now();
  const { result } = await link.request('worker.info', {}, { patienceMs: infoPatienceMs });
  return { ...result, roundTripMs: performance.now() - askedAt };
}

/** For a worker that a command needs now: some attempts, and no more than 20 s. */
export function patient(signal?: AbortSignal): { patienceMs: number; signal?: AbortSignal } {
  return { patienceMs: connectPatienceMs, ...(signal ? { signal } : {}) };
}

/** @throws UsageError `bad-pin`. */
function requirePin(pin: string, url: string): void {
  if (!pinPattern.test(pin)) {
    const hint = 'Give the one that the worker printed: sha256: and 43 letters.';
    throw new UsageError('bad-pin', `"${pin}" is no pin.`, hint);
  }
  if (!url.startsWith('wss:')) {
    const hint = `Give the address that the worker printed, which begins with wss://.`;
    throw new UsageError('bad-pin', `${url} is not encrypted, so there is no key to pin.`, hint);
  }
}

/** What other people see of this client. */
const ownName = (): string => hostname().slice(0, 64) || 'teletrain';

function referenceTo({ name, url, addedAt, role }: PairedWorker): WorkerReference {
  return { name, url, local: false, addedAt, ...(role ? { role } : {}) };
}
