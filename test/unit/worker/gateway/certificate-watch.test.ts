import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CertificateWatch } from '../../../../worker/gateway/certificate-watch.ts';
import { makeSelfSigned } from '../../../../worker/gateway/self-signed.ts';
import { usersIdentity } from '../../../../worker/gateway/tls.ts';
import { temporaryHome } from '../../../integration/support/worker-process.ts';

const made = (name: string) => makeSelfSigned(name, ['localhost'], Date.now());
const [first, second] = [made('first'), made('second')];

/** A watch whose looks the test takes itself, over files that it writes. */
async function watched() {
  const stack = new AsyncDisposableStack();
  const home = stack.use(await temporaryHome());
  const files = { certificate: join(home.path, 'chain.pem'), key: join(home.path, 'key.pem') };
  const put = async ({ certificate = first.certificate, key = first.key }): Promise<void> => {
    await writeFile(files.certificate, certificate);
    await writeFile(files.key, key);
  };
  await put(first);
  const told: string[] = [];
  const watch = new CertificateWatch({
    files,
    shown: await usersIdentity(files),
    onRenewed: ({ certificate }) =>
      told.push(certificate === second.certificate ? 'second' : 'another'),
    onBroken: ({ code }) => told.push(code),
    onFault: (what) => told.push(what),
  });
  stack.defer(() => watch.stop());
  const looks = async (count: number): Promise<void> => {
    for (let look = 0; look < count; look += 1) await watch.look();
  };
  return { files, put, told, looks, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

describe("the user's certificate", () => {
  test('is taken when it was renewed, once', async () => {
    await using watch = await watched();
    await watch.looks(3);
    expect(watch.told).toEqual([]);
    await watch.put(second);
    await watch.looks(4);
    expect(watch.told).toEqual(['second']);
  });

  test('is not taken, nor complained about, while only one of its files was written', async () => {
    await using watch = await watched();
    await watch.put({ certificate: second.certificate });
    await watch.looks(1);
    await watch.put(second);
    await watch.looks(1);
    expect(watch.told).toEqual([]);
    await watch.looks(1);
    expect(watch.told).toEqual(['second']);
  });

  test('that is broken is told of once, until it is mended', async () => {
    await using watch = await watched();
    await watch.put({ certificate: second.certificate });
    await watch.looks(4);
    expect(watch.told).toEqual(['bad-certificate']);
    await rm(watch.files.key);
    await watch.looks(4);
    expect(watch.told).toEqual(['bad-certificate', 'tls-unreadable']);
    await watch.put(first);
    await watch.looks(4);
    expect(watch.told).toEqual(['bad-certificate', 'tls-unreadable']);
    await watch.put(second);
    await watch.looks(4);
    expect(watch.told).toEqual(['bad-certificate', 'tls-unreadable', 'second']);
  });
});
