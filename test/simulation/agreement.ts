import { isDeepStrictEqual } from 'node:util';
import type { RunView } from '../../client/session/types.ts';
import { isFinal } from '../../shared/events.ts';
import { limits } from '../../shared/limits.ts';
import { manifestSchema } from '../../shared/run.ts';
import type { Run } from '../../worker/gateway/run.ts';
import { clientHome, type SimulatedClient } from './simulated-client.ts';
import { sha256, weightsAfter } from './simulated-engine.ts';
import { type SimulatedGateway, workerHome, workerNames } from './simulated-gateway.ts';
import { journalOf, type Witness } from './witness.ts';
import type { World } from './world.ts';

/** All must be as it should be so long after the last trouble. */
const calmMs = 30 * 60_000;
/** How much later than `silenceMs` a dead line may be noticed. */
export const silenceSlackMs = 1_000;
/**
 * So long after the last trouble whoever is connected must show the state that the run is in: until
 * then a line may be dead, and nobody can know.
 */
const quietMs = limits.silenceMs + silenceSlackMs;

/** After so long nothing is left of tensor sessions whose programs are gone, nor of what hung at its start. */
const tensorsLeftMs =
  limits.tensorStartMs + limits.tensorLingerMs + limits.silenceMs + silenceSlackMs;

/** A run that somebody looks at in the end, and where it is. */
interface Chosen {
  readonly run: Run;
  readonly gateway: SimulatedGateway;
}

/** A run that was only brought to a worker is interrupted there, and may be shown as what it ended as. */
const isStateOf = (run: Run, { state }: RunView): boolean =>
  state === run.fold.state || (!run.isBegun && isFinal(state) && isFinal(run.fold.state));

/** What must come about when there is no more trouble: everybody agrees, and every run has come to its end. */
export class Agreement {
  readonly #world: World;
  readonly #witness: Witness;
  readonly #gateways: readonly SimulatedGateway[];
  readonly #clients: readonly SimulatedClient[];

  constructor(
    world: World,
    witness: Witness,
    gateways: readonly SimulatedGateway[],
    clients: readonly SimulatedClient[],
  ) {
    this.#world = world;
    this.#witness = witness;
    this.#gateways = gateways;
    this.#clients = clients;
  }

  /** @throws Violation. */
  async reach(): Promise<void> {
    const world = this.#world;
    world.say('CALM', () => 'no more trouble');
    for (const { machine } of [...this.#gateways, ...this.#clients]) machine.disk.trouble = {};
    for (const gateway of this.#gateways) gateway.up();
    for (const client of this.#clients) {
      client.trouble({});
      client.program?.wake();
    }
    await world.until(world.now + quietMs);
    this.#compareStates();
    const end = world.now + calmMs;
    for (const client of this.#clients) {
      // A program whose disk failed it says so and keeps nothing more: a person starts it again.
      if (client.program && client.machine.disk.hasFailed) client.down(true);
      if (!client.program) client.launch();
    }
    let askedAt = 0;
    let lookedAt = 0;
    const isSettled = (): boolean => {
      if (world.now < lookedAt + 500) return false;
      lookedAt = world.now;
      if (world.now > askedAt + 60_000) {
        askedAt = world.now;
        this.#goOn();
      }
      return this.#isSettled();
    };
    this.#goOn();
    if (!(await world.until(end, isSettled))) this.#tellWhatIsMissing();
    else this.#compareAll();
    if (this.#gateways.some(({ running }) => running && running.tensorEngines.size > 0)) {
      await world.until(world.now + tensorsLeftMs);
      this.#countTensorEngines();
    }
    await world.until(world.now);
  }

  /** None is left of a program that is gone. */
  #countTensorEngines(): void {
    const engines = this.#gateways.flatMap(({ running }) => [...(running?.tensorEngines ?? [])]);
    const left = engines.filter(({ hasEnded }) => !hasEnded).length;
    const programs = this.#clients.filter(({ hasTensors }) => hasTensors).length;
    if (left <= programs) return;
    this.#world.violate(`${left} tensor engines are left, and ${programs} programs`);
  }

  #compareStates(): void {
    for (const { handles, machine } of this.#clients) {
      for (const { id, view } of handles.values()) {
        const run = this.#gatewayOf(view.worker)?.running?.runs.find(id);
        if (view.connection.kind !== 'connected' || view.lastSeq !== run?.lastSeq) continue;
        if (machine.disk.hasFailed || isStateOf(run, view)) continue;
        this.#world.violate(
          `${machine.name} shows ${view.state}, and the run is ${run.fold.state}`,
        );
      }
    }
  }

  #gatewayOf(worker: string | undefined): SimulatedGateway | undefined {
    return this.#gateways[workerNames.indexOf(worker ?? '')];
  }

  /** What a person does who wants to see the runs end. */
  #goOn(): void {
    const [first] = this.#clients;
    for (const client of this.#clients) {
      // A person may have ended it themselves.
      if (!client.program) client.launch();
    }
    for (const { run, gateway } of this.#chosen()) {
      for (const client of this.#clients) client.perform({ do: 'open', run: run.id });
      const worker = this.#gateways.indexOf(gateway);
      const { state } = run.fold;
      if (!['paused', 'failed', ...this.#unfinished].includes(state)) continue;
      // The other laptop may be connected and have it; who takes it late asks again the next time.
      first?.perform({ do: 'take', worker });
      // A run that was being moved may lack its checkpoint yet.
      if (this.#gateways.length === 1) first?.perform({ do: 'resume', run: run.id });
      else first?.perform({ do: 'move', to: worker, replace: false, run: run.id });
    }
  }

  /** States in which a move that was broken off leaves a run: final, and not its end. */
  get #unfinished(): readonly string[] {
    return this.#gateways.length > 1 ? ['interrupted'] : [];
  }

  /** The runs that a worker has, without copies of those that have gone on elsewhere. */
  #runsOf(gateway: SimulatedGateway): readonly Run[] {
    const runs = gateway.running?.runs.all ?? [];
    if (this.#gateways.length === 1) return runs;
    return runs.filter(({ id }) => this.#placeOf(id) === gateway);
  }

  /** Where a laptop remembers a run to be. */
  #placeOf(run: string): SimulatedGateway | undefined {
    for (const { machine } of this.#clients) {
      const text = machine.disk.peek(`${clientHome}/client/runs/${run}/worker.json`)?.toString();
      if (text) return this.#gatewayOf(JSON.parse(text).worker);
    }
    return undefined;
  }

  /** The runs that everybody looks at in the end: at each worker the one that trains, or the newest. */
  #chosen(): readonly Chosen[] {
    return this.#gateways.flatMap((gateway) => {
      const runs = this.#runsOf(gateway);
      const run =
        runs.find(({ id }) => gateway.running?.training.active?.id === id) ??
        [...runs].sort((a, b) => a.record.createdAt - b.record.createdAt).at(-1);
      return run ? [{ run, gateway }] : [];
    });
  }

  #isSettled(): boolean {
    if (this.#gateways.some(({ running }) => !running)) return false;
    const isOver = ({ fold }: Run): boolean => isFinal(fold.state);
    if (this.#gateways.some((gateway) => !this.#runsOf(gateway).every(isOver))) return false;
    const chosen = this.#chosen();
    if (chosen.some(({ run }) => this.#unfinished.includes(run.fold.state))) return false;
    return this.#clients.every((client) => {
      if (chosen.length === 0) return true;
      if (client.underway.size > 0) return false;
      if (chosen.some(({ run }) => !client.handles.has(run.id))) return false;
      return [...client.handles.values()].every(({ id, view }) =>
        this.#isHome(client, view, this.#gatewayOf(view.worker)?.running?.runs.find(id)),
      );
    });
  }

  #isHome({ machine }: SimulatedClient, view: RunView, run: Run | undefined): boolean {
    if (view.connection.kind !== 'connected' || view.lastSeq !== run?.lastSeq) return false;
    if (view.checkpoints.some(({ home }) => ['waiting', 'arriving'].includes(home.state))) {
      return false;
    }
    const kept = journalOf(machine.disk, `${clientHome}/client/runs/${run.id}/journal`);
    return kept.length === run.lastSeq;
  }

  #tellWhatIsMissing(): void {
    const workers = this.#gateways.map(({ machine, running }) => {
      const runs = running?.runs.all.map(
        ({ id, lastSeq, fold }) => `${id} ${fold.state} up to ${lastSeq}`,
      );
      return `${machine.name}: ${runs?.join('; ')}`;
    });
    const views = this.#clients.map(({ machine, handles, underway }) => {
      const seen = [...handles.values()].map(
        ({ id, view }) =>
          `${id} on ${view.worker} ${view.state} up to ${view.lastSeq}, ${JSON.stringify(view.connection)}, ${JSON.stringify(view.checkpoints.map(({ home }) => home.state))}`,
      );
      const waits = [...underway].join(', ');
      return `${machine.name}: ${seen.join('; ') || 'nothing'}${waits && `; waits for ${waits}`}`;
    });
    this.#world.violate(
      `half an hour after the last trouble not everything has arrived. ${[...workers, ...views].join('. ')}`,
    );
  }

  #compareAll(): void {
    for (const gateway of this.#gateways) {
      this.#witness.compare(gateway.machine);
      for (const run of this.#runsOf(gateway)) {
        for (const client of this.#clients) this.#compare(client, run, gateway);
      }
    }
  }

  /** What a client has of a run is what the worker has, and what was told elsewhere before that. */
  #compare(client: SimulatedClient, run: Run, gateway: SimulatedGateway): void {
    const { disk, name } = client.machine;
    const journal = new Map(
      journalOf(gateway.machine.disk, `${workerHome}/runs/${run.id}/journal`).map((event) => [
        event.seq,
        event,
      ]),
    );
    const folder = `${clientHome}/client/runs/${run.id}`;
    for (const [index, event] of journalOf(disk, `${folder}/journal`).entries()) {
      const isThere =
        event.seq < run.firstSeq
          ? this.#witness.wasTold(event)
          : isDeepStrictEqual(event, journal.get(event.seq));
      if (isThere && event.seq === index + 1) continue;
      this.#world.violate(
        `${name} has ${JSON.stringify(event)} as event ${index + 1}, where the worker has ${JSON.stringify(journal.get(index + 1))}`,
      );
      break;
    }
    this.#lookAtCheckpoints(client, folder);
    const view = client.handles.get(run.id)?.view;
    if (!view || this.#gatewayOf(view.worker) !== gateway) return;
    if (!isStateOf(run, view)) {
      this.#world.violate(`${name} shows ${view.state}, and the run is ${run.fold.state}`);
    }
    const losses = view.series.get('train/loss/step');
    for (let index = 0; losses && index < losses.length; index += 1) {
      const step = losses.steps[index] ?? 0;
      if (step !== index + 1 || losses.values[index] !== weightsAfter(run.id, step)) {
        this.#world.violate(`${name} shows another loss at point ${index} than was trained`);
      }
    }
  }

  /** What is at home under a checkpoint's name is whole. */
  #lookAtCheckpoints({ machine }: SimulatedClient, folder: string): void {
    const { disk, name } = machine;
    for (const id of disk.names(`${folder}/checkpoints`)) {
      if (!/^step-\d{9}$/.test(id)) continue;
      const place = `${folder}/checkpoints/${id}`;
      const manifest = manifestSchema.parse(
        JSON.parse(disk.peek(`${place}/manifest.json`)?.toString() ?? 'null'),
      );
      for (const file of manifest.files) {
        const bytes = disk.peek(`${place}/${file.name}`);
        if (bytes && sha256(bytes) === file.sha256) continue;
        this.#world.violate(`${name} has a checkpoint ${id} whose ${file.name} is not whole`);
      }
    }
  }
}
