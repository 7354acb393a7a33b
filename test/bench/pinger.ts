import { WireClient } from '../integration/support/wire-client.ts';

/**
 * `node pinger.ts URL TOKEN`: a second client's connection, in a process of its own, that pings every
 * 5 ms from `start` to `stop` and then says each round trip in ms.
 */
const [url = '', token = ''] = process.argv.slice(2);
const client = await WireClient.connect(url, { token });
let isOn = false;

process.on('message', async (order) => {
  isOn = order === 'start';
  if (!isOn) return;
  const trips: number[] = [];
  while (isOn) {
    trips.push(await client.ping());
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  process.send?.(trips);
});
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
