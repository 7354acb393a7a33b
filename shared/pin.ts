import { createHash, type KeyObject } from 'node:crypto';

/** What names a worker's key to a client that trusts it by that alone: `sha256:` and 43 letters. */
export const pinPattern = /^sha256:[A-Za-z0-9_-]{43}$/;

/**
 * The pin of a certificate's public key: SHA-256 of its SubjectPublicKeyInfo (as in RFC 7469), in
 * base64url. Of the key and not of the certificate, so that one renewed for the same key has it too.
 */
export function pinOf(publicKey: KeyObject): string {
  const info = publicKey.export({ type: 'spki', format: 'der' });
  return `sha256:${createHash('sha256').update(info).digest('base64url')}`;
}
