import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { isLoopback } from '../../shared/connection-url.ts';
import { TeletrainError } from '../../shared/errors.ts';
import type { RunStatus } from '../../shared/events.ts';
import { closeCodes } from '../../shared/limits.ts';
import { version } from '../../shared/version.ts';
import { engineEnvironment } from '../native/environment.ts';
import { wishLike } from '../wished-implementations.ts';
import { CertificateWatch } from './certificate-watch.ts';
import { connectionHost } from './connection-host.ts';
import { ControlKeeper } from './control-keeper.ts';
import { findDoneIn } from './done.ts';
import { Door } from './door.ts';
import { makePrivateFolder, writeFileDurably } from './durable-file.ts';
import { EngineProcess } from './engine-process.ts';
import { faultText } from './fault-text.ts';
import { createHandlers } from './handlers.ts';
import { LedgerFile } from './ledger-file.ts';
import { Observers } from './observers.ts';
import type { WorkerOptions } from './options.ts';
import type { Output } from './output.ts';
import { Pairing } from './pairing.ts';
import { RequestDesk } from './request-desk.ts';
import { Runs } from './runs.ts';
import { GatewayServer } from './server.ts';
import { TensorProcess } from './tensor-process.ts';
import { TensorSessions } from './tensor-sessions.ts';
import { reachableHost, tlsIdentity } from './tls.ts';
import { Tokens } from './tokens.ts';
import { Training } from './training.ts';
import { Uploads } from './uploads.ts';
import { HeldLock } from './worker-lock.ts';

/** How long the engine may take to leave its checkpoint when the worker is stopped. */
const engineGraceMs = 45_000;
const farewellMs = 2_000;
const tickMs = 1_000;

/** A worker that listens. */
export interface Gateway {
  readonly url: string;
  /** Resolves when it was stopped, by whatever. Rejects with why it cannot go on. */
  readonly ended: Promise<void>;
  showNewCode(): void;
  stop(why: string): void;
}

/**
 * Starts the worker: everything here is put together, and taken apart in the reverse order.
 * @throws TeletrainError when it cannot start: `worker-running`, `cannot-listen`, what is wrong
 *   with its files.
 */
export async function startGateway(options: WorkerOptions, output: Output): Promise<Gateway> {
  const startedAt = Date.now();
  const { home, name } = options;
  const onWarning = (message: string) => output.warning(message);
  const onFault = (what: string, error: unknown) => output.warning(faultText(what, error));

  await makePrivateFolder(home);
  const lock = await HeldLock.take(home, { name, version, startedAt });
  try {
    const tokens = await Tokens.open(join(home, 'tokens.json'));
    if (options.tokenFile !== undefined) await tokens.accept(options.tokenFile);
    const pairings = { control: new Pairing(randomBytes), observe: new Pairing(randomBytes) };
    const ledgerFile = await LedgerFile.open(join(home, 'ledger'));
    const runs = await Runs.load(join(home, 'runs'), onWarning, (_run, events) => {
      for (const event of events) if (event.type === 'state') output.state(event);
    });

    let lastStatus: RunStatus | undefined;
    const ended = Promise.withResolvers<void>();
    const engineReady = Promise.withResolvers<void>();
    const environment = async () => ({
      ...(await engineEnvironment()),
      ...(options.requireGpu ? { TELETRAIN_REQUIRE_ENGINE: 'gpu' } : {}),
    });
    const engine = new EngineProcess({
      program: options.engineProgram ?? siblingProgram('../engine/main'),
      environment,
    });
    const tensors = new TensorSessions({
      // A loop of a client's own ends with the bits of a run.
      environment: async () => ({
        ...(await environment()),
        ...wishLike(training.report?.layers),
      }),
      start: (variables, listener) =>
        new TensorProcess(siblingProgram('../engine/tensors/main'), variables, listener),
    });
    const training = new Training({
      runs,
      engine,
      dataDir: options.dataDir,
      cacheDir: options.cacheDir,
      onWarning,
      onStatus: (status) => {
        lastStatus = status;
      },
      onProgress: (message) => output.progress(message),
      onReady: (report) => {
        output.engine(report);
        engineReady.resolve();
      },
      onUnusable: ({ code, message, hint }) =>
        stop('the engine cannot work here', new TeletrainError(code, message, { hint })),
    });
    const control = await ControlKeeper.open(join(home, 'control.json'), {
      onPassed: (to, from) => {
        output.control(to.name, from?.name);
        // It may surprise whoever had it, so it is told where they look.
        const told = `"${to.name}" has control of this worker now; "${from?.name}" had it.`;
        if (from) void training.note(told);
      },
      onFault,
    });
    const observers = new Observers({
      tokens,
      pairing: pairings.observe,
      onRevoked: (observer, by) => output.revoked(observer, by),
    });
    const handlers = createHandlers({
      runs,
      training,
      uploads: new Uploads(),
      tensors,
      control,
      observers,
      worker: { name, version, home, startedAt },
      stopWorker: () => stop('a client asked for it'),
    });
    const findDone = findDoneIn({ runs, control });
    const desk = new RequestDesk(handlers, findDone, ledgerFile, control, onFault);
    const door = new Door({
      pairings,
      tokens,
      worker: { id: await identity(home), name, version, epoch: randomUUID(), startedAt },
      onPaired: (client, role) => output.paired(client, role),
    });
    const host = connectionHost({ door, desk, tensors, control, observers, onFault });
    const { allowedOrigins } = options;
    const tls =
      options.tls.kind === 'off'
        ? undefined
        : await tlsIdentity(options.tls, { home, name, host: options.host });
    const server = new GatewayServer(host, { allowedOrigins, tls });

    const port = await server.listen(options.port, options.host);
    // Its turn comes before that of anything that can be asked now.
    const recovered = training.recover(options.recover);
    const url = `${tls ? 'wss' : 'ws'}://${hostForUrl(reachableHost(options.host))}:${port}/`;
    await lock.announce(url);
    if (!tls && !isLoopback(url)) {
      onWarning(
        `${options.host} is reachable from other machines, and what is sent is not encrypted: whoever is on the way can read it, tokens too. Leave --tls off away, or listen on 127.0.0.1 and use a tunnel.`,
      );
    }

    let stopping = false;
    let idleSince = Date.now();
    const welcomed = () => server.connections.filter((connection) => connection.isWelcomed);
    const isSomebodyThere = () => welcomed().some(({ caller }) => !caller.glances);
    const certificateWatch =
      tls && options.tls.kind === 'files'
        ? new CertificateWatch({
            files: options.tls,
            shown: tls,
            onRenewed: (renewed, before) => {
              server.show(renewed);
              output.certificate(renewed, before);
            },
            onBroken: ({ message, hint }) =>
              onWarning(
                `New connections are still shown the certificate before. ${message} ${hint}`,
              ),
            onFault,
          })
        : undefined;
    const parent = process.ppid;
    const timer = setInterval(() => {
      const active = training.active;
      if (active || isSomebodyThere()) idleSince = Date.now();
      else if (options.idleMinutes > 0 && Date.now() - idleSince > options.idleMinutes * 60_000) {
        stop(`nothing to do for ${options.idleMinutes} minutes`);
      }
      if (options.parentWatch && process.ppid !== parent)
        stop('the program that started it has ended');
      if (wantsCode && isAnnounced && !tokens.hasController && !pairings.control.isOpen(Date.now()))
        showNewCode();
      const isOfActive = active !== undefined && lastStatus?.run === active.id;
      if (output.isLive) output.status(isOfActive ? lastStatus : undefined, welcomed().length);
    }, tickMs);

    const wantsCode = options.tokenFile === undefined;
    let isAnnounced = false;
    const showNewCode = () => {
      const { code, expiresAt } = pairings.control.issue(Date.now());
      output.code(code, expiresAt);
    };
    const announce = () => {
      if (stopping) return;
      isAnnounced = true;
      const issued = wantsCode ? pairings.control.issue(Date.now()) : undefined;
      output.listening({
        url,
        name,
        pid: process.pid,
        version,
        ...(tls ? { pin: tls.pin, pinNeeded: options.tls.kind === 'self-signed' } : {}),
        ...(issued ? { code: issued.code, codeExpiresAt: issued.expiresAt } : {}),
      });
    };

    function stop(why: string, error?: TeletrainError): void {
      if (stopping) return;
      stopping = true;
      output.stopping(why);
      const end = async () => {
        clearInterval(timer);
        certificateWatch?.stop();
        server.refuseNew();
        tensors.closeAll();
        await desk.idle();
        await training.end(engineGraceMs);
        await Promise.all(server.connections.map((connection) => connection.drained(farewellMs)));
        const reason = new TeletrainError('worker-stopping', `The worker stops: ${why}.`, {
          hint: 'Start it again, or resume the run on another worker.',
        });
        for (const connection of server.connections)
          connection.end(reason, closeCodes.workerStopping);
        await Promise.race([
          Promise.all(server.connections.map((connection) => connection.closed)),
          sleep(farewellMs, undefined, { ref: false }),
        ]);
        await ledgerFile.close();
        await lock.release();
      };
      // What was asked in this very turn is answered first.
      setImmediate(() =>
        end().then(() => (error ? ended.reject(error) : ended.resolve()), ended.reject),
      );
    }

    await recovered;
    void engineReady.promise.then(announce);
    await engine.start();
    return { url, ended: ended.promise, showNewCode, stop: (why) => stop(why) };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/** A program beside this one: compiled when this one is. */
function siblingProgram(path: string): string {
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js';
  return fileURLToPath(new URL(`${path}${extension}`, import.meta.url));
}

function hostForUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

const identitySchema = z.object({ format: z.literal(1), id: z.string().min(1) });

/** Who this worker is, for as long as its home lasts. */
async function identity(home: string): Promise<string> {
  const path = join(home, 'worker.json');
  const known = await readFile(path, 'utf8').then(
    (text) => identitySchema.safeParse(JSON.parse(text)).data,
    () => undefined,
  );
  if (known) return known.id;
  const id = randomUUID();
  await writeFileDurably(path, `${JSON.stringify({ format: 1, id })}\n`);
  return id;
}
