/**
 * Prints the metrics of a run as they come, to its end. It changes nothing, so a worker that somebody
 * shared with you (`teletrain share`) will do:
 *
 *     node examples/observe-a-run.ts [worker] [run]
 *
 * Without a name it takes the only worker that this machine knows, and the run that trains there now;
 * the run `last` is the newest one, also when it has ended.
 */
import { observe } from 'teletrain';

const [worker, run] = process.argv.slice(2);
const observation = await observe(worker, { ...(run && { run }) });
const { record } = observation;
console.log(`${record.id} on ${observation.worker}: ${record.recipe}`);

for await (const event of observation) {
  switch (event.type) {
    case 'metric': {
      const when = event.per === 'epoch' ? `epoch ${event.epoch}` : `step ${event.step}`;
      console.log(`${when}  ${event.split} ${event.name} ${event.value.toPrecision(5)}`);
      break;
    }
    case 'checkpoint':
      console.log(`checkpoint ${event.id}${event.best ? ', the best so far' : ''}`);
      break;
    case 'rewind':
      console.log(`the run goes on from step ${event.toStep}; what came after it is void`);
      break;
    case 'state':
      console.log(event.message ?? event.state);
  }
}
