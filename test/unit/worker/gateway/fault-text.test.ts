import { rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { faultText } from '../../../../worker/gateway/fault-text.ts';
import { LedgerFile } from '../../../../worker/gateway/ledger-file.ts';
import { temporaryHome } from '../../../integration/support/worker-process.ts';

test.runIf(process.platform === 'linux')(
  'an answer that a full disk does not keep is told as a full disk, without a stack',
  async () => {
    await using home = await temporaryHome();
    const path = join(home.path, 'ledger');
    const ledger = await LedgerFile.open(path);
    // It opens like a file and is always full; its records meet the system's own error.
    await rm(path, { force: true });
    await symlink('/dev/full', path);
    const answer = { result: {} };
    const error: unknown = await ledger
      .keep({ client: 'laptop-1', request: 'a1', asked: 'x', answer })
      .catch((why: unknown) => why);
    expect(faultText('keeping an answer', error)).toMatch(
      /^keeping an answer: The disk is full[^\n]*\. Free some space[^\n]*$/,
    );
  },
);

test('a fault of ours is told with its stack', () => {
  expect(faultText('following a run', new TypeError('no such thing'))).toMatch(
    /^following a run: TypeError: no such thing\n +at /,
  );
  expect(faultText('following a run', 'gone')).toBe('following a run: gone');
});
