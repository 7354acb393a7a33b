import { floodOfEvents } from '../integration/support/event-flood.ts';
const report = await floodOfEvents(Number(process.argv[2] ?? 1_000_000));
console.log(JSON.stringify({...report, replayMs: [report.replayMs[12], report.replayMs.at(-1)]},null,1));
