import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { requireCompiler } from '../../../../../worker/native/binding.ts';
import { findBindingSources } from '../../../../../worker/native/binding-sources.ts';
import { runCommand } from '../../../../../worker/native/command.ts';

const kernels = join(import.meta.dirname, '../../../../../worker/native/kernels');
const sanitizers = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-g1'];

async function expectSuccess(program: string, args: readonly string[]): Promise<string> {
  const result = await runCommand(program, args, { timeout: 600_000 });
  expect(`${result.status}\n${result.stdout}${result.stderr}`).toMatch(/^0\n/);
  return result.stdout;
}

it('step nowhere outside their memory, on any instruction set, shape or order of threads', {
  timeout: 600_000,
}, async () => {
  const compiler = await requireCompiler();
  const folder = await mkdtemp(join(tmpdir(), 'teletrain-kernels-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { units } = await findBindingSources();
  const waiting = [
    ...units.filter(({ file }) => file.startsWith(kernels) && !/operations?\.cc$/.test(file)),
    { file: join(import.meta.dirname, 'check-kernels.cc'), options: ['-std=c++17'] },
  ].map((unit, index) => ({ ...unit, object: join(folder, `${index}.o`) }));
  const objects = waiting.map(({ object }) => object);
  const compileNext = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const options = [...next.options, ...sanitizers, '-O1', `-I${kernels}`];
      await expectSuccess(compiler, [...options, '-c', next.file, '-o', next.object]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, compileNext));
  const program = join(folder, 'check-kernels');
  await expectSuccess(compiler, [...sanitizers, '-pthread', ...objects, '-o', program]);
  const facts = await expectSuccess(program, []);
  expect(facts).toMatch(/^plain: tanh within /);
  expect(facts).toMatch(/\n0 failures\n$/);
});
