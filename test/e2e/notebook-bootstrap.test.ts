import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { findProgram, runCommand } from '../../worker/native/command.ts';

const python = await findProgram(['python3', 'python']);

if (python) {
  it('what the notebook runs before Node exists does what it says, and refuses what it must', async () => {
    const bootstrap = resolve(import.meta.dirname, '..', '..', 'colab', 'bootstrap.py');
    const checks = join(import.meta.dirname, 'support', 'check_bootstrap.py');
    const environment = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
    const { status, stderr } = await runCommand(python, [checks, bootstrap], { environment });
    expect(status, stderr).toBe(0);
    expect(stderr).toMatch(/^Ran (1[5-9]|[2-9]\d) tests/m);
  });
} else {
  it('the bootstrap of the notebook could not be checked here', () => {
    console.warn('NOT CHECKED: colab/bootstrap.py. Missing: python3.');
  });
}
