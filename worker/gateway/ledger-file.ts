import { z } from 'zod';
import { scanRecords, sealRecord } from '../../shared/journal.ts';
import { wireErrorSchema } from '../../shared/messages.ts';
import { pack, unpack } from '../../shared/msgpack.ts';
import type { System } from '../../shared/system.ts';
import { Turns } from '../../shared/turns.ts';
import { nodeSystem } from '../system.ts';
import { isSystemError, writeFileDurably } from './durable-file.ts';
import { Ledger, type LedgerEntry } from './ledger.ts';
import { type RecordExtent, RecordFile } from './record-file.ts';

const entrySchema = z.object({
  client: z.string(),
  request: z.string(),
  asked: z.string(),
  answer: z.union([z.object({ error: wireErrorSchema }), z.object({ result: z.unknown() })]),
});

/**
 * The ledger on disk: records as in a journal, one an answer, appended and synced before the
 * answer is sent. It is written anew when most of its records are no longer in the ledger.
 */
export class LedgerFile {
  readonly ledger: Ledger;
  readonly #path: string;
  readonly #system: System;
  #file: RecordFile;
  #records: number;
  readonly #turns = new Turns();

  private constructor(
    path: string,
    ledger: Ledger,
    records: number,
    extent: RecordExtent,
    system: System,
  ) {
    this.#path = path;
    this.#system = system;
    this.ledger = ledger;
    this.#records = records;
    this.#file = new RecordFile(path, extent, system);
  }

  /** Reads what is there; a spoiled end is cut by the next append. */
  static async open(path: string, system: System = nodeSystem): Promise<LedgerFile> {
    const bytes = await system.disk.readFile(path).catch((error: unknown) => {
      if (isSystemError(error, 'ENOENT')) return Buffer.alloc(0);
      throw error;
    });
    const ledger = new Ledger();
    const { records, end } = scanRecords(bytes);
    for (const { body } of records) {
      const entry = entrySchema.safeParse(valueIn(body));
      if (entry.success) ledger.record(entry.data);
    }
    const extent = { end, isSpoiled: end < bytes.length };
    return new LedgerFile(path, ledger, records.length, extent, system);
  }

  /** @throws the file system's error: the answer would be forgotten by a restart. */
  async keep(entry: LedgerEntry): Promise<void> {
    await this.#turns.take(() => this.#append(entry));
  }

  async close(): Promise<void> {
    await this.#turns.settled();
    await this.#file.close();
  }

  async #append(entry: LedgerEntry): Promise<void> {
    if (this.#records > 2 * this.ledger.size + 1024) await this.#rewrite();
    await this.#file.append(sealRecord(pack(entry)));
    this.#records += 1;
  }

  async #rewrite(): Promise<void> {
    const records = [...this.ledger.entries()].map((entry) => sealRecord(pack(entry)));
    const bytes = Buffer.concat(records);
    await this.#file.close();
    await writeFileDurably(this.#path, bytes, this.#system);
    this.#file = new RecordFile(this.#path, { end: bytes.length, isSpoiled: false }, this.#system);
    this.#records = records.length;
  }
}

/** What is not msgpack of ours is no answer of ours either, though its checksum is right. */
function valueIn(body: Uint8Array): unknown {
  try {
    return unpack(body);
  } catch {
    return undefined;
  }
}
