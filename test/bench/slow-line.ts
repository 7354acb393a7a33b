import { connect, createServer, type Socket } from 'node:net';

/** `node slow-line.ts PORT DELAY`: a line to a port on which every byte takes DELAY ms, either way. */
const [target = '', delay = ''] = process.argv.slice(2);

function carry(from: Socket, to: Socket): void {
  from.on('data', (bytes) => setTimeout(() => to.write(bytes), Number(delay)));
  from.on('close', () => setTimeout(() => to.destroy(), Number(delay)));
  from.on('error', () => {});
}

const server = createServer((near) => {
  const far = connect(Number(target), '127.0.0.1');
  near.setNoDelay();
  far.setNoDelay();
  carry(near, far);
  carry(far, near);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (typeof address === 'object') process.send?.(address?.port);
});
process.on('disconnect', () => process.exit(0));
