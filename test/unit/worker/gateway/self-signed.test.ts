import { execFileSync } from 'node:child_process';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pinOf, pinPattern } from '../../../../shared/pin.ts';
import { makeSelfSigned } from '../../../../worker/gateway/self-signed.ts';

const hosts = [
  'box.example',
  'localhost',
  '127.0.0.1',
  '10.0.0.255',
  '::1',
  'fe80::1:2',
  '1:2:3::',
];
const now = Date.UTC(2026, 10, 23, 12);
const made = makeSelfSigned('Anna’s box', hosts, now);
const certificate = new X509Certificate(made.certificate);

let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'teletrain-certificate-'));
  path = join(folder, 'certificate.pem');
  await writeFile(path, made.certificate);
});
afterAll(() => rm(folder, { recursive: true }));

const openssl = (...args: string[]) => execFileSync('openssl', args, { encoding: 'utf8' });
const hasOpenssl = (() => {
  try {
    return openssl('version') !== '';
  } catch {
    return false;
  }
})();

test('Node reads it as it was meant, and its key is the one that signed it', () => {
  expect(certificate.subject).toBe('CN=Anna’s box');
  expect(certificate.checkPrivateKey(createPrivateKey(made.key))).toBe(true);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.ca).toBe(false);
  expect(new Date(certificate.validFrom)).toEqual(new Date(now - 24 * 3_600_000));
  expect(certificate.validTo).toBe('Dec 31 23:59:59 9999 GMT');
  for (const host of ['box.example', 'localhost']) expect(certificate.checkHost(host)).toBe(host);
  for (const address of hosts.slice(2)) expect(certificate.checkIP(address)).toBe(address);
  expect(certificate.checkHost('other.example')).toBeUndefined();
});

test('no two are alike', () => {
  const other = new X509Certificate(makeSelfSigned('Anna’s box', hosts, now).certificate);
  expect(other.serialNumber).not.toBe(certificate.serialNumber);
  expect(pinOf(other.publicKey)).not.toBe(pinOf(certificate.publicKey));
  expect(pinOf(certificate.publicKey)).toMatch(pinPattern);
});

test('numbers keep their sign and their length, whatever bytes chance gives', () => {
  for (let count = 0; count < 200; count += 1) {
    const { certificate: pem } = makeSelfSigned('box', ['localhost'], now);
    const again = new X509Certificate(pem);
    expect(again.verify(again.publicKey)).toBe(true);
    expect(again.serialNumber).toMatch(/^[0-9A-F]{2,32}$/);
  }
});

test.runIf(hasOpenssl)('OpenSSL takes it for a server, strictly, and reads every part', () => {
  const strictly = ['-x509_strict', '-purpose', 'sslserver', '-verify_hostname', 'box.example'];
  expect(openssl('verify', ...strictly, '-CAfile', path, path)).toBe(`${path}: OK\n`);
  const text = openssl('x509', '-in', path, '-noout', '-text');
  expect(text).toContain('Version: 3 (0x2)');
  expect(text).toContain('Signature Algorithm: ecdsa-with-SHA256');
  expect(text).toContain('NIST CURVE: P-256');
  expect(text).toMatch(/X509v3 Basic Constraints: critical\s+CA:FALSE/);
  expect(text).toMatch(/X509v3 Key Usage: critical\s+Digital Signature\n/);
  expect(text).toMatch(/X509v3 Extended Key Usage: \s+TLS Web Server Authentication\n/);
  expect(text).toContain(
    'DNS:box.example, DNS:localhost, IP Address:127.0.0.1, IP Address:10.0.0.255, IP Address:0:0:0:0:0:0:0:1, IP Address:FE80:0:0:0:0:0:1:2, IP Address:1:2:3:0:0:0:0:0',
  );
});

test.runIf(hasOpenssl)('the pin is what OpenSSL makes of the public key', async () => {
  const publicKey = join(folder, 'public.der');
  const pem = openssl('x509', '-in', path, '-noout', '-pubkey');
  await writeFile(join(folder, 'public.pem'), pem);
  openssl(
    'pkey',
    '-pubin',
    '-in',
    join(folder, 'public.pem'),
    '-outform',
    'DER',
    '-out',
    publicKey,
  );
  const [hash = ''] = openssl('dgst', '-sha256', '-r', publicKey).split(' ');
  expect(pinOf(certificate.publicKey)).toBe(
    `sha256:${Buffer.from(hash, 'hex').toString('base64url')}`,
  );
});
