/**
 * A run of many metric events through engine, gateway, journal, wire and run store, each a process of
 * its own, beside a client that reads nothing until the run has ended:
 *
 *     node test/bench/million-events.ts [events] [--json]
 *
 * Prints a table, or the same as JSON. Default: 1,000,000 events.
 */
import { floodOfEvents } from '../integration/support/event-flood.ts';

const args = process.argv.slice(2);
const metrics = Number(args.find((arg) => !arg.startsWith('-')) ?? 1_000_000);
const report = await floodOfEvents(metrics);
const { followed, opened, replayMs } = report;

const megabytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
const ms = (value: number | undefined): string => `${(value ?? Number.NaN).toFixed(1)} ms`;
const rows: readonly [string, string][] = [
  ['events, of all kinds', `${report.events}, ${megabytes(report.journalBytes)} of journal`],
  [
    'events a second, to the disks of both ends',
    String(Math.round(report.events / followed.seconds)),
  ],
  [
    'in order at the follower',
    followed.isWhole && followed.lastSeq === report.events ? 'all' : 'NOT ALL',
  ],
  [
    'in order in its run store',
    opened.isWhole && opened.events === report.events ? 'all' : 'NOT ALL',
  ],
  [
    'in order at the client that read nothing',
    report.stuckGot === report.events ? 'all' : 'NOT ALL',
  ],
  ['peak memory of the gateway', megabytes(report.peakOfGateway)],
  ['peak memory of the engine', megabytes(report.peakOfEngine)],
  ['peak memory of the follower', megabytes(followed.peak)],
  ['peak memory of opening the run from disk', megabytes(opened.peakOpened)],
  ['the same, after all its events were read and listed', megabytes(opened.peak)],
  [`first event of a replay, median of ${replayMs.length}`, ms(replayMs[replayMs.length >> 1])],
  ['first event of a replay, longest', ms(replayMs.at(-1))],
  ['opening the run from disk', ms(opened.openMs)],
  ['its first frame of a dashboard of 160x48', ms(opened.firstFrameMs)],
  ['its next frame', ms(opened.nextFrameMs)],
  ['reading all its events', ms(opened.readMs)],
  ['listing the runs, anew and again', `${ms(opened.listMs)}, ${ms(opened.listAgainMs)}`],
];
if (args.includes('--json')) console.log(JSON.stringify(report, null, 2));
else for (const [what, figure] of rows) console.log(`${what.padEnd(54)}${figure}`);
