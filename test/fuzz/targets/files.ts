import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readJournal } from '../../../client/session/journal-file.ts';
import { RunStore } from '../../../client/session/run-store.ts';
import { encodeRecord, sealRecord } from '../../../shared/journal.ts';
import { JournalFile } from '../../../worker/gateway/journal-file.ts';
import { LedgerFile } from '../../../worker/gateway/ledger-file.ts';
import { Runs } from '../../../worker/gateway/runs.ts';
import { Tokens } from '../../../worker/gateway/tokens.ts';
import { HeldLock } from '../../../worker/gateway/worker-lock.ts';
import type { Chance } from '../chance.ts';
import { events, imported, record, runId } from '../corpus.ts';
import type { Input } from '../input.ts';
import { writeMsgpack } from '../msgpack-writer.ts';
import { mutateBytes, mutateValue } from '../mutation.ts';
import { reasonOf, type Target } from '../target.ts';
import { temporaryFolder } from './gateway-world.ts';

const entry = {
  client: 'a-client-of-fuzzing',
  request: 'request-1',
  asked: 'a-digest',
  answer: { error: { code: 'unknown-run', message: 'There is none.', hint: 'Look.' } },
};
const tokensFile = {
  format: 2,
  tokens: [
    { sha256: 'a'.repeat(64), clientId: 'c', clientName: 'n', createdAt: 1, role: 'observe' },
  ],
};
const lock = {
  format: 1,
  pid: 999_999_999,
  startedAt: 1,
  processStart: '1',
  name: 'w',
  version: '0',
};

interface Reader {
  readonly name: string;
  make(chance: Chance): Uint8Array;
  read(folder: string, content: Uint8Array): Promise<unknown>;
}

const json = (value: unknown) => (chance: Chance) => {
  const text = Buffer.from(
    JSON.stringify(chance.once(3) ? value : mutateValue(value, chance)) ?? '',
  );
  return chance.once(2) ? mutateBytes(text, chance) : text;
};

/** Records that are whole and hold what no program wrote, or that are not whole. */
const records = (values: readonly unknown[]) => (chance: Chance) => {
  const kept = values.slice(0, 1 + chance.below(values.length));
  const sealed = Buffer.concat(
    kept.map((value) =>
      sealRecord(chance.once(3) ? writeMsgpack(mutateValue(value, chance)) : writeMsgpack(value)),
    ),
  );
  return chance.once(2) ? mutateBytes(sealed, chance) : sealed;
};

async function placed(folder: string, names: readonly string[], content: Uint8Array) {
  const path = join(folder, ...names);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, content, { mode: 0o600 });
  return path;
}

const runFile = (name: string, value: unknown): Reader => ({
  name,
  make: json(value),
  read: async (folder, content) => {
    if (name !== 'run.json') {
      await placed(folder, ['runs', runId, 'run.json'], Buffer.from(JSON.stringify(record)));
    }
    await placed(folder, ['runs', runId, name], content);
    return await Runs.load(join(folder, 'runs'), () => {});
  },
});

const { record: _, ...importRecord } = imported;

const readers: readonly Reader[] = [
  {
    name: 'journal',
    make: records(events),
    read: async (folder, content) => {
      const path = await placed(folder, ['journal'], content);
      const { journal } = await JournalFile.open(runId, path, 1, () => {});
      await journal.append([{ type: 'rewind', toStep: 1 }], 1);
      await journal.close();
    },
  },
  {
    name: 'client-journal',
    make: records(events),
    read: async (folder, content) =>
      readJournal(await placed(folder, ['journal'], content), () => {}),
  },
  {
    name: 'ledger',
    make: records([entry, { ...entry, request: 'request-2', answer: { result: {} } }]),
    read: async (folder, content) => {
      const file = await LedgerFile.open(await placed(folder, ['ledger'], content));
      await file.keep({ ...entry, request: 'request-3' });
      await file.close();
    },
  },
  {
    name: 'tokens.json',
    make: json(tokensFile),
    read: async (folder, content) => Tokens.open(await placed(folder, ['tokens.json'], content)),
  },
  {
    name: 'worker.lock',
    make: json(lock),
    read: async (folder, content) => {
      await placed(folder, ['worker.lock'], content);
      const held = await HeldLock.take(folder, { name: 'w', version: '0', startedAt: 1 });
      await held.release();
    },
  },
  runFile('run.json', record),
  runFile('import.json', importRecord),
  {
    name: 'client-run.json',
    make: json(record),
    read: async (folder, content) => {
      await placed(folder, ['runs', runId, 'run.json'], content);
      await placed(folder, ['runs', runId, 'journal'], Buffer.concat(events.map(encodeRecord)));
      return await new RunStore(join(folder, 'runs')).list();
    },
  },
];

/** What either end reads from its own disk, after a crash, another version or another hand was at it. */
export async function openFiles(): Promise<Target> {
  const base = await temporaryFolder();
  let count = 0;
  return {
    name: 'files',
    share: 10,
    memory: 32 * 1024 * 1024,
    make: (chance): Input => {
      const place = chance.below(readers.length);
      return [Buffer.of(place), readers[place]?.make(chance) ?? Buffer.alloc(0)];
    },
    run: async ([place = Buffer.of(0), content = Buffer.alloc(0)]) => {
      const reader = readers[place[0] ?? 0];
      if (reader === undefined) return 'no reader';
      count += 1;
      const folder = join(base, String(count));
      await mkdir(folder);
      try {
        await reader.read(folder, content);
        return `${reader.name} read`;
      } catch (error) {
        return `${reader.name} ${reasonOf(error)}`;
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
    close: () => rm(base, { recursive: true, force: true }),
  };
}
