import { floodOfEvents } from '../integration/support/event-flood.ts';

const report = await floodOfEvents(Number(process.argv[2] ?? 1_000_000));
console.log(JSON.stringify(report, null, 1));
