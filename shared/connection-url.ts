import { UsageError } from './errors.ts';

/**
 * The address of a worker as a user may give it, made uniform: `ws://` or `wss://`, a host, a port
 * and the path `/`. `http` and `https` become `ws` and `wss`, since tunnels print those; a bare
 * `host:port` becomes `ws`.
 *
 * An address is shown, stored and logged, here and by every proxy on the way, so it never carries a
 * secret: a user name, a query or a fragment is refused.
 *
 * @throws UsageError `bad-url`.
 */
export function parseConnectionUrl(text: string): string {
  const hint =
    'Give the address that the worker printed, for example ws://127.0.0.1:8787 or wss://name.example.';
  const given = text.trim();
  const spelled = /^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `ws://${given}`;
  const url = URL.parse(spelled.replace(/^http(s?):/i, 'ws$1:'));
  if (!url || url.hostname === '') {
    throw new UsageError('bad-url', `"${text}" is not a worker's address.`, hint);
  }
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') {
    throw new UsageError('bad-url', `A worker is not reached by ${url.protocol}//.`, hint);
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new UsageError(
      'bad-url',
      "A worker's address holds no user name, query or fragment.",
      'Give the code or token as an option of its own, never in the address.',
    );
  }
  if (url.pathname !== '/' && url.pathname !== '') {
    throw new UsageError('bad-url', `A worker serves "/" only, not "${url.pathname}".`, hint);
  }
  return `${url.protocol}//${url.host}/`;
}

/** Whether what is sent to this address stays on this machine. A plain `ws://` to any other is readable on the way. */
export function isLoopback(url: string): boolean {
  const host = new URL(url).hostname;
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host);
}
