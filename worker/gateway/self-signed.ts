import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';

/**
 * A certificate that a worker makes for itself, since Node makes none: X.509 version 3 (RFC 5280) in
 * DER (ITU-T X.690), its key on P-256, signed by itself with ECDSA and SHA-256 (RFC 5758).
 */

export interface SelfSigned {
  /** PKCS #8, PEM. */
  readonly key: string;
  /** PEM. */
  readonly certificate: string;
}

/**
 * @param hosts names and addresses by which the worker is reached; those of this machine are enough
 *   for a client that pins the key.
 * @param now milliseconds since 1970. It is valid from a day before, since clocks differ, and has no
 *   end: it is trusted by its key alone.
 */
export function makeSelfSigned(name: string, hosts: readonly string[], now: number): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = sequence(set(sequence(oid('2.5.4.3'), utf8(name.slice(0, 64) || 'worker'))));
  const publicKeyInfo = publicKey.export({ type: 'spki', format: 'der' });
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))), // version 3
    integer(randomBytes(16)),
    algorithm,
    issuer,
    sequence(utcTime(now - 24 * 3_600_000), noEnd),
    issuer, // and so it is the subject
    publicKeyInfo,
    explicit(3, sequence(...extensions(publicKeyInfo, hosts))),
  );
  const signature = sign('sha256', body, { key: privateKey, dsaEncoding: 'der' });
  return {
    key: pemOf(privateKey),
    certificate: pem('CERTIFICATE', sequence(body, algorithm, bitString(signature, 0))),
  };
}

function extensions(publicKeyInfo: Buffer, hosts: readonly string[]): Buffer[] {
  // RFC 7093, method 1, over the key as a whole.
  const keyId = createHash('sha256').update(publicKeyInfo).digest().subarray(0, 20);
  return [
    extension('2.5.29.14', octetString(keyId)),
    extension('2.5.29.19', sequence(), isCritical), // basicConstraints: signs no other certificate
    extension('2.5.29.15', bitString(Buffer.from([0x80]), 7), isCritical), // keyUsage: digitalSignature
    extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'))), // extKeyUsage: serverAuth
    extension('2.5.29.17', sequence(...hosts.map(generalName))), // subjectAltName
  ];
}

const isCritical = true;

function extension(id: string, value: Buffer, critical = false): Buffer {
  const flag = critical ? [tagged(0x01, Buffer.from([0xff]))] : [];
  return sequence(oid(id), ...flag, octetString(value));
}

function generalName(host: string): Buffer {
  if (isIP(host) === 0) return tagged(0x82, Buffer.from(host, 'ascii'));
  return tagged(0x87, isIP(host) === 4 ? Buffer.from(host.split('.').map(Number)) : ipv6(host));
}

/** The sixteen bytes of an address in any of its spellings, without a zone. */
function ipv6(address: string): Buffer {
  const spelled = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = spelled.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const [left, right] = [groups(head), groups(tail ?? '')];
  const zeros = Array<string>(tail === undefined ? 0 : 8 - left.length - right.length).fill('0');
  const all = [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16));
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

// DER: a tag, a length, a value.

function tagged(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const value = Buffer.concat(content);
  const { length } = value;
  const digits = length < 0x80 ? [] : length < 0x100 ? [length] : [length >> 8, length & 0xff];
  const head = digits.length === 0 ? [tag, length] : [tag, 0x80 | digits.length, ...digits];
  return Buffer.concat([Buffer.from(head), value]);
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return tagged(0x30, ...parts);
}

function set(part: Uint8Array): Buffer {
  return tagged(0x31, part);
}

function explicit(number: number, part: Uint8Array): Buffer {
  return tagged(0xa0 | number, part);
}

function octetString(bytes: Uint8Array): Buffer {
  return tagged(0x04, bytes);
}

function bitString(bytes: Uint8Array, unusedBits: number): Buffer {
  return tagged(0x03, Buffer.from([unusedBits]), bytes);
}

function utf8(text: string): Buffer {
  return tagged(0x0c, Buffer.from(text));
}

/** A number that is not negative, in as few bytes as it takes; the highest bit is the sign. */
function integer(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Buffer.from([0]) : bytes.subarray(first);
  return tagged(0x02, ...((digits[0] ?? 0) >= 0x80 ? [Buffer.from([0])] : []), digits);
}

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const base128 = (arc: number): number[] =>
    arc < 0x80 ? [arc] : [...base128(arc >> 7).map((byte) => byte | 0x80), arc & 0x7f];
  return tagged(0x06, Buffer.from([40 * first + second, ...rest.flatMap(base128)]));
}

/** Up to the year 2049. */
function utcTime(milliseconds: number): Buffer {
  const digits = new Date(milliseconds).toISOString().replace(/[-:T]|\.\d+/g, '');
  return tagged(0x17, Buffer.from(digits.slice(2)));
}

/** RFC 5280, 4.1.2.5: what is valid without an end. */
const noEnd = tagged(0x18, Buffer.from('99991231235959Z'));

/** ecdsa-with-SHA256. */
const algorithm = sequence(oid('1.2.840.10045.4.3.2'));

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
