import { isIP } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { TeletrainError } from '../../shared/errors.ts';
import { pinOf } from '../../shared/pin.ts';

/** By what a client trusts the worker behind a `wss://` address, before it says a word. */

/**
 * Opens a TLS connection that goes on only with a worker that is trusted: by `pin` where there is
 * one, else by its certificate, as a browser does. One that is not ends it with an error that
 * `untrusted` reads.
 */
export function connectSecure(options: ConnectionOptions, pin?: string): TLSSocket {
  const { host = '' } = options;
  // An address is no name that a server could be asked for (RFC 6066, section 3).
  const named = { ...options, servername: isIP(host) ? '' : host };
  if (pin !== undefined) return connectPinned(named, pin);
  // Whatever the environment says.
  return connect({ ...named, rejectUnauthorized: true });
}

/**
 * Goes on only with a worker that has the key named by `pin`. Who signed its certificate, for which
 * name and until when does not matter then: the key does, and whoever has it has shown so in the
 * handshake.
 *
 * Nothing that is written to it is sent before: it is corked until the key was looked at.
 */
function connectPinned(options: ConnectionOptions, pin: string): TLSSocket {
  const socket = connect({ ...options, rejectUnauthorized: false });
  socket.cork();
  socket.once('secureConnect', () => {
    const certificate = socket.getPeerX509Certificate();
    if (certificate && pinOf(certificate.publicKey) === pin) socket.uncork();
    else socket.destroy(certificateChanged());
  });
  return socket;
}

/** What a failed handshake means where the worker's certificate is why; undefined where it is not. */
export function untrusted(error: Error): TeletrainError | undefined {
  if (error instanceof TeletrainError) return error;
  const code = 'code' in error ? String(error.code) : '';
  const why = reasons[code];
  if (why === undefined) return undefined;
  return new TeletrainError('certificate-untrusted', `The worker's certificate ${why}.`, {
    hint: 'If it made the certificate itself, it printed the command with a pin: teletrain connect <url> --pin sha256:…',
    cause: error,
  });
}

/** OpenSSL's verdicts, as Node names them. */
const reasons: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'is signed by nobody but itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'is signed by somebody whom this machine does not trust',
  UNABLE_TO_GET_ISSUER_CERT: 'is signed by somebody whom this machine does not trust',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'is signed by somebody whom this machine does not trust',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'is signed by somebody whom this machine does not trust',
  CERT_UNTRUSTED: 'is signed by somebody whom this machine does not trust',
  INVALID_CA: 'is signed by somebody who may sign none',
  INVALID_PURPOSE: 'is not one of a server',
  CERT_SIGNATURE_FAILURE: 'is not signed by whom it says',
  CERT_NOT_YET_VALID: 'is not valid yet',
  CERT_HAS_EXPIRED: 'is no longer valid',
  CERT_REVOKED: 'was revoked',
  ERR_TLS_CERT_ALTNAME_INVALID: 'is for another address',
};

function certificateChanged(): TeletrainError {
  return new TeletrainError(
    'certificate-changed',
    'The worker has another key than the one that is pinned, so it may be somebody else.',
    {
      hint: 'If the worker was set up anew, pair again with the command that it prints; else do not connect.',
    },
  );
}
