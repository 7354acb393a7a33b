import { WebSocketServer } from 'ws';

/**
 * A bare WebSocket in a process of its own, to measure ours against: it sends a message of up to
 * 1 KiB back, takes larger ones and says their sum when a text comes, and sends as many bytes as a
 * text asks for, in messages of 256 KiB.
 */
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
const chunk = Buffer.alloc(256 * 1024);
server.on('connection', (socket) => {
  let taken = 0;
  socket.on('message', (data: Buffer, isBinary) => {
    if (isBinary && data.length <= 1024) socket.send(data);
    else if (isBinary) taken += data.length;
    else {
      const wanted = Number(data.toString());
      if (wanted === 0) socket.send(String(taken));
      for (let sent = 0; sent < wanted; sent += chunk.length) socket.send(chunk);
    }
  });
});
server.on('listening', () => {
  const address = server.address();
  if (typeof address === 'object') process.send?.(address?.port);
});
process.on('disconnect', () => process.exit(0));
