import type {
  BenchmarkList,
  BenchmarkReport,
  BenchmarkRequest,
} from '../../shared/benchmark-report.ts';
import { UsageError } from '../../shared/errors.ts';
import { threadCount } from '../native/processor.ts';
import { type BenchmarkCase, benchmarkCases } from './cases.ts';
import { InputFolder } from './inputs.ts';
import { targetText } from './judge.ts';
import { beginDocument } from './machine.ts';
import { findPython, type ParticipantName, participantTitles } from './participants.ts';
import { playCase } from './play-case.ts';
import { Versions } from './versions.ts';

export interface MeasureOptions {
  readonly onProgress: (message: string) => void;
  readonly signal: AbortSignal;
}

/** Those that a user may name with `--peer`. */
const peerNames = [...new Set(benchmarkCases.flatMap(({ peers }) => peers))];

export function listBenchmarks(): BenchmarkList {
  return {
    cases: benchmarkCases.map(({ name, title, peers, targets }) => ({
      ...{ name, title, participants: [...peers] },
      targets: targets.map(targetText),
    })),
    participants: peerNames.map((name) => ({ name, title: participantTitles[name] })),
  };
}

/**
 * Plays the cases one after the other.
 * @throws UsageError `unknown-case`, `unknown-peer`; the signal's reason.
 */
export async function measure(
  request: BenchmarkRequest,
  { onProgress, signal }: MeasureOptions,
): Promise<BenchmarkReport> {
  const cases =
    request.cases?.map(caseNamed) ?? benchmarkCases.filter(({ onlyNamed }) => !onlyNamed);
  const peers = request.peers?.map(peerNamed) ?? peerNames.filter((name) => name !== 'earlier');
  const endDocument = beginDocument(request.rounds);
  const threads = threadCount();
  const python = findPython(request.python ?? process.env.TELETRAIN_PEERS_PYTHON);
  const versions = new Versions();
  const reports: BenchmarkReport['cases'] = [];
  await using inputs = await InputFolder.make();
  for (const played of cases) {
    const play = {
      ...{ threads, inputs, onProgress, signal, python },
      rounds: request.rounds,
      peers: request.earlier === undefined ? peers : [...new Set([...peers, 'earlier' as const])],
      earlier: request.earlier,
    };
    reports.push(await playCase(played, play, versions));
  }
  return { ...endDocument(versions.byProgram()), cases: reports };
}

function caseNamed(name: string): BenchmarkCase {
  const found = benchmarkCases.find((candidate) => candidate.name === name);
  if (found) return found;
  throw new UsageError(
    'unknown-case',
    `There is no case "${name}".`,
    `Choose from: ${benchmarkCases.map((known) => known.name).join(', ')}.`,
  );
}

function peerNamed(name: string): ParticipantName {
  const found = peerNames.find((candidate) => candidate === name);
  if (found) return found;
  throw new UsageError(
    'unknown-peer',
    `There is no peer "${name}".`,
    `Choose from: ${peerNames.join(', ')}.`,
  );
}
