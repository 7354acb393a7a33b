import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { isLoopback } from '../../shared/connection-url.ts';
import { UsageError } from '../../shared/errors.ts';
import { workerFolders } from '../folders.ts';
import type { TlsWay } from './tls.ts';

export interface WorkerOptions {
  /** 0 takes a free one. Default: 8787. */
  readonly port: number;
  /** Default: 127.0.0.1, this machine only. */
  readonly host: string;
  /** What the worker calls itself. Default: the machine's name. */
  readonly name: string;
  /** Folder of the worker's runs, tokens and lock. Default: `workerFolders().state`. */
  readonly home: string;
  readonly cacheDir: string;
  readonly dataDir: string | undefined;
  /** A file that holds a token which is accepted, so that nobody need pair by hand. */
  readonly tokenFile: string | undefined;
  /** Default: a certificate of its own making where other machines reach it, else plain. */
  readonly tls: TlsWay;
  /** Origins, as browsers say them, whose pages may connect. Default: none. */
  readonly allowedOrigins: readonly string[];
  readonly requireGpu: boolean;
  /** Ends after so many minutes with no active run and no client; 0 never does. */
  readonly idleMinutes: number;
  /** Goes on by itself with the run that was active when the worker was killed. */
  readonly recover: boolean;
  /** Ends when the process that started it has ended. */
  readonly parentWatch: boolean;
  /** Output as JSON, one object a line. */
  readonly json: boolean;
  /** Live status every second also where the output is no terminal, or is JSON. */
  readonly status: boolean;
  /** The engine's program, if not the worker's own: tests give theirs. */
  readonly engineProgram: string | undefined;
}

export const usage = `Usage: worker [options]

  --port N            port to listen on; 0 takes a free one (default 8787)
  --host ADDRESS      address to listen on (default 127.0.0.1, this machine only)
  --name NAME         what the worker calls itself (default: this machine's name)
  --home DIR          folder of its runs, tokens and lock file
  --data-dir DIR      where datasets are (default: TELETRAIN_DATA)
  --token-file FILE   accept the token in this file (43 characters of base64url, readable
                      by its owner only); no pairing code is shown then
  --tls WAY           auto, self-signed or off: encrypt by a certificate that the worker makes
                      itself, known to clients by the pin that it prints; auto does so where
                      other machines can reach it (default auto)
  --tls-cert FILE     encrypt by this certificate (PEM, with its chain); one that is renewed while
                      it runs is taken for new connections
  --tls-key FILE      and this key (PEM)
  --allow-origin URL  let pages of this origin connect, e.g. https://page.example; may be given
                      many times (default: no page may)
  --require-gpu       end with the reason where it cannot train on a GPU
  --idle-minutes N    end after N minutes without a run and without a client (default 0: never)
  --no-recover        do not go on by itself with a run that was cut off
  --parent-watch      end when the process that started it has ended
  --status            live status every second although the output is no terminal; with --json too
  --json              output as JSON, one object a line

SIGUSR2 shows a new pairing code; SIGINT and SIGTERM end the worker, which leaves a checkpoint.
`;

/** @throws UsageError `bad-option`. */
export function parseWorkerOptions(
  args: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
): WorkerOptions | 'help' {
  const values = parse(args);
  if (values.help) return 'help';
  const folders = workerFolders(environment);
  return {
    port: number(values.port ?? '8787', '--port', 65_535),
    host: values.host ?? '127.0.0.1',
    name: (values.name ?? (hostname() || 'worker')).slice(0, 64),
    home: resolve(values.home ?? folders.state),
    cacheDir: folders.cache,
    dataDir: values['data-dir'] ?? (environment.TELETRAIN_DATA || undefined),
    tokenFile: values['token-file'],
    tls: tlsWay(values, values.host ?? '127.0.0.1'),
    allowedOrigins: (values['allow-origin'] ?? []).map(origin),
    requireGpu: values['require-gpu'] ?? false,
    idleMinutes: number(values['idle-minutes'] ?? '0', '--idle-minutes', 1_000_000),
    recover: !values['no-recover'],
    parentWatch: values['parent-watch'] ?? false,
    json: values.json ?? false,
    status: values.status ?? false,
    engineProgram: values['engine-program'],
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        port: { type: 'string' },
        host: { type: 'string' },
        name: { type: 'string' },
        home: { type: 'string' },
        'data-dir': { type: 'string' },
        'token-file': { type: 'string' },
        tls: { type: 'string' },
        'tls-cert': { type: 'string' },
        'tls-key': { type: 'string' },
        'allow-origin': { type: 'string', multiple: true },
        'require-gpu': { type: 'boolean' },
        'idle-minutes': { type: 'string' },
        'no-recover': { type: 'boolean' },
        'parent-watch': { type: 'boolean' },
        status: { type: 'boolean' },
        json: { type: 'boolean' },
        'engine-program': { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    const message = error instanceof Error ? error.message.split('. ')[0] : String(error);
    throw new UsageError('bad-option', `${message}.`, 'See "teletrain worker --help".');
  }
}

function number(text: string, option: string, most: number): number {
  const value = Number(text);
  if (
    /^\d+(\.\d+)?$/.test(text) &&
    value <= most &&
    (option !== '--port' || Number.isInteger(value))
  )
    return value;
  throw new UsageError(
    'bad-option',
    `${option} cannot be "${text}".`,
    `Give a number from 0 to ${most}.`,
  );
}

function tlsWay(
  given: { tls?: string; 'tls-cert'?: string; 'tls-key'?: string },
  host: string,
): TlsWay {
  const { tls: way = 'auto', 'tls-cert': certificate, 'tls-key': key } = given;
  const refuse = (message: string, hint: string) => new UsageError('bad-option', message, hint);
  if (!['auto', 'self-signed', 'off'].includes(way)) {
    throw refuse(`--tls cannot be "${way}".`, 'Give auto, self-signed or off.');
  }
  if (certificate !== undefined && key !== undefined) {
    if (way === 'auto') return { kind: 'files', certificate, key };
    throw refuse(`--tls ${way} and --tls-cert exclude each other.`, 'Give one of them.');
  }
  if (certificate !== undefined || key !== undefined) {
    throw refuse('--tls-cert and --tls-key go together.', 'Give both.');
  }
  const isHere = isLoopback(`ws://${host.includes(':') ? `[${host}]` : host}/`);
  if (way === 'off' || (way === 'auto' && isHere)) return { kind: 'off' };
  return { kind: 'self-signed' };
}

/** What a browser would say of the pages there: a scheme, a host and a port that is not the usual one. */
function origin(text: string): string {
  const url = URL.parse(text);
  if (url && /^https?:$/.test(url.protocol) && url.origin === text) return text;
  throw new UsageError(
    'bad-option',
    `--allow-origin cannot be "${text}".`,
    'Give it as browsers say it, without a path: https://page.example or http://localhost:3000.',
  );
}
