import type { CaseReport, MissingParticipant } from '../../shared/benchmark-report.ts';
import { TeletrainError } from '../../shared/errors.ts';
import type { BenchmarkCase } from './cases.ts';
import type { InputFolder } from './inputs.ts';
import { judgeCase, type Result } from './judge.ts';
import { Participant } from './participant.ts';
import {
  type ParticipantName,
  type ParticipantOptions,
  participantProgram,
  participantTitles,
} from './participants.ts';
import { playRounds } from './rounds.ts';
import type { Versions } from './versions.ts';

export interface PlayOptions extends ParticipantOptions {
  readonly rounds: number;
  readonly threads: number;
  /** Those that may take part beside ours. */
  readonly peers: readonly ParticipantName[];
  readonly inputs: InputFolder;
  readonly onProgress: (message: string) => void;
  /** Ends every participant. */
  readonly signal: AbortSignal;
}

/** Of the matrix product. */
const productSize = 1024;

interface Ready {
  readonly name: ParticipantName;
  readonly participant: Participant;
  readonly note: string | undefined;
}

/**
 * Times one case: starts its participants, lets them prepare one after the other, and plays the
 * rounds. No process of it is left when it returns or throws. Whoever cannot take part, or fails in
 * the rounds, is told in the report's `missing`, and the others go on without.
 *
 * @param versions gets those of what took part
 * @returns the case's figures
 * @throws the signal's reason.
 */
export async function playCase(
  played: BenchmarkCase,
  options: PlayOptions,
  versions: Versions,
): Promise<CaseReport> {
  const started = new Set<Participant>();
  const endAll = async () => {
    await Promise.all([...started].map((participant) => participant.end()));
  };
  const onAbort = () => void endAll();
  options.signal.addEventListener('abort', onAbort);
  try {
    return await play(played, options, started, versions);
  } catch (error) {
    options.signal.throwIfAborted();
    throw error;
  } finally {
    options.signal.removeEventListener('abort', onAbort);
    await endAll();
  }
}

async function play(
  played: BenchmarkCase,
  options: PlayOptions,
  started: Set<Participant>,
  versions: Versions,
): Promise<CaseReport> {
  const { rounds, onProgress, signal } = options;
  const say = (what: string) => onProgress(`${played.name}: ${what}`);
  const missing: MissingParticipant[] = [];
  const ready: Ready[] = [];
  const names: ParticipantName[] = [
    'teletrain',
    ...played.peers.filter((name) => options.peers.includes(name)),
    ...(played.arithmetic ? (['product'] as const) : []),
  ];
  for (const name of names) {
    signal.throwIfAborted();
    say(`preparing ${participantTitles[name]}`);
    const outcome = await prepare(name, played, options, started);
    if ('missing' in outcome) {
      missing.push(outcome.missing);
      const { title, reason, remedy } = outcome.missing;
      say(`without ${title}: ${reason}; ${remedy}`);
      // Nothing to compare the others with.
      if (name === 'teletrain') break;
      continue;
    }
    ready.push(outcome.ready);
    versions.add(name, outcome.versions);
  }
  const hasFailed = (which: ParticipantName) =>
    missing.some(({ participant }) => participant === which);
  const turns = await playRounds(
    ready.map(({ name, participant }) => ({
      name,
      async run(warm, steps) {
        // Nothing to compare the others with.
        if (hasFailed('teletrain')) return undefined;
        try {
          return await participant.run(warm, steps);
        } catch (error) {
          if (signal.aborted || !(error instanceof TeletrainError)) throw error;
          const { message: reason, hint: remedy } = error;
          missing.push({ participant: name, title: participant.title, reason, remedy });
          say(`going on without ${participant.title}: ${reason}`);
          await participant.end();
          return undefined;
        }
      },
    })),
    rounds,
    (round) => say(`round ${round + 1} of ${rounds}`),
  );
  const results = hasFailed('teletrain')
    ? []
    : ready.flatMap(({ name, participant, note }): Result[] => {
        const its = name === 'product' ? undefined : turns.get(name);
        return its ? [{ participant: name, title: participant.title, turns: its, note }] : [];
      });
  const product = turns.get('product');
  return judgeCase(
    played,
    results,
    missing,
    product && { turns: product, operations: 2 * productSize ** 3 },
  );
}

type Outcome =
  | { readonly ready: Ready; readonly versions: Readonly<Record<string, string>> }
  | { readonly missing: MissingParticipant };

async function prepare(
  name: ParticipantName,
  played: BenchmarkCase,
  options: PlayOptions,
  started: Set<Participant>,
): Promise<Outcome> {
  const program = await participantProgram(name, options, options.threads);
  const title = 'title' in program ? program.title : participantTitles[name];
  const without = (reason: string, remedy: string): Outcome => ({
    missing: { participant: name, title, reason, remedy },
  });
  if ('reason' in program) return without(program.reason, program.remedy);
  try {
    const start = await Participant.start(program, (participant) => started.add(participant));
    if ('missing' in start) return without(start.missing, program.remedy);
    const workload =
      name === 'product'
        ? ({ kind: 'matrix-product', size: productSize } as const)
        : await played.workload(options.inputs, name);
    const note = await start.participant.prepare(workload, options.threads);
    return { ready: { name, participant: start.participant, note }, versions: start.versions };
  } catch (error) {
    if (options.signal.aborted || !(error instanceof TeletrainError)) throw error;
    return without(error.message, error.hint);
  }
}
