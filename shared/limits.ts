/**
 * Limits of protocol version 1, both ends. Each number says why it is that number.
 */
export const limits = {
  /** Largest frame in bytes. A chunk (256 KiB) and its header fit many times; small enough that a stranger cannot make us hold much. */
  frameBytes: 4 * 1024 * 1024,
  /** Largest header in bytes: settings, reports and lists of checkpoints are far below. */
  headerBytes: 1024 * 1024,
  /** Arrays and maps inside one another in a header, a list or an event: nothing of ours has ten. */
  valueDepth: 64,
  /** Arrays and maps in a header, a list or an event: an empty one takes a byte of a message and 56 of memory. */
  valueContainers: 262_144,
  /** Largest event in bytes, in the journal and in a frame's header: a grid of 400 digits fits. */
  eventBytes: 1024 * 1024 - 1024,
  /** Bytes of a file in one message: at 10 Mbit/s it holds a ping up for 0.2 s at most. */
  chunkBytes: 256 * 1024,
  /** Requests a client may have unanswered. */
  requestsInFlight: 64,
  /** Answers kept per client, so that a request sent again is answered again: many times what can be in flight. */
  ledgerEntries: 1024,
  /** Clients whose answers are kept; the one that used the worker longest ago gives way. */
  ledgerClients: 64,
  /** Runs that one connection may follow at once. */
  followsPerConnection: 64,
  /** Bytes waiting in a socket's send buffer above which events and chunks wait (pings and other answers do not): one chunk. */
  bufferedBytes: 256 * 1024,
  /** Largest sample in bytes that is shown while it is drawn: 400 digits are far below. */
  drawingBytes: 64 * 1024,
  /** Least time between two drawings of a run, in ms: a screen shows no more. */
  drawingMs: 100,
  /** Time to authenticate after the socket opened, in ms. */
  authenticationMs: 5_000,
  /** Either end sends a ping when it sent nothing for this long, in ms; tunnels close idle sockets at 100 s. */
  heartbeatMs: 15_000,
  /** Nothing heard for this long, in ms: the connection is dead and is terminated. */
  silenceMs: 40_000,
  /** A pairing code is valid for this long, in ms. */
  pairingMs: 10 * 60_000,
  /** Wrong codes or tokens from one address, and from all, within a minute: people mistype, programs guess. */
  attemptsPerAddress: 5,
  attemptsOverall: 50,
  attemptsWindowMs: 60_000,
  /** Clients of a role that may be paired at once; the one paired longest ago gives way. */
  tokens: 64,
  /** A controller whose connection broke has this long to come back before another may ask for a change, in ms: three of a client's longest pauses. */
  controlLingerMs: 30_000,
  /** Longest manifest.json that is taken: one of 32 files is far below. */
  manifestBytes: 64 * 1024,
  /** A checkpoint that was read is not rotated away for this long, in ms: a download asks again much sooner. */
  pinMs: 60_000,
  /** Sockets open at once. */
  connections: 32,
  /** Times a crashed engine is started again for one run. */
  engineRestarts: 3,
  /** Tensor sessions open at once: each is a process with an engine of its own. */
  tensorSessions: 4,
  /** Nothing heard for this long, in ms, of a tensor engine that starts: it hangs. It takes seconds, on a busy machine tens; one that is set up first says so. */
  tensorStartMs: 120_000,
  /** A tensor session whose connection broke is kept for this long, in ms: a laptop changes its network. */
  tensorLingerMs: 60_000,
  /** Bytes of batches that either end of a tensor session may have sent and the other not taken: fills 1 Gbit/s at 100 ms. */
  tensorWindowBytes: 16 * 1024 * 1024,
  /** Tensors that a session may hold. */
  tensorHandles: 262_144,
  /** Models that a session may hold: each of a population, and their best. */
  tensorModels: 256,
  /** Longest model.json that a session takes: a thousand layers are below 1 MB. */
  modelJsonBytes: 4 * 1024 * 1024,
  /** Pictures drawn by one `sample`, during which the session does nothing else: 3 MB of pixels. */
  sampledPictures: 4096,
} as const;

/** WebSocket close codes of protocol version 1. */
export const closeCodes = {
  normal: 1000,
  workerStopping: 4000,
  malformed: 4400,
  unauthorised: 4401,
  authenticationTimeout: 4408,
  /** Sent by the WebSocket layer itself: a message over `frameBytes`. */
  tooLarge: 1009,
  unsupportedVersion: 4426,
  tooManyAttempts: 4429,
  internal: 4500,
} as const;

/** Sub-protocol name of the WebSocket handshake. */
export const subprotocol = 'teletrain';
export const protocolVersions = { min: 1, max: 1 } as const;
