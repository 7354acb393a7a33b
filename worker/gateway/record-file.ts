import { dirname } from 'node:path';
import type { OpenFile, System } from '../../shared/system.ts';
import { isSystemError, syncFolder } from './durable-file.ts';

/** How far a file is made of whole records. */
export interface RecordExtent {
  readonly end: number;
  /** Bytes lie behind the end that are no records. */
  readonly isSpoiled: boolean;
}

/** A file that records are appended to. It is opened when it is needed, and made when it is not there. */
export class RecordFile {
  readonly #path: string;
  readonly #system: System;
  #file: OpenFile | undefined;
  /** Its name is on disk; of a file that an earlier program made, nobody knows. */
  #isNamed = false;
  #end: number;
  #isSpoiled: boolean;

  constructor(path: string, { end, isSpoiled }: RecordExtent, system: System) {
    this.#path = path;
    this.#end = end;
    this.#isSpoiled = isSpoiled;
    this.#system = system;
  }

  /** Where the records end. */
  get end(): number {
    return this.#end;
  }

  /** Resolves when the bytes are on disk. @throws the file system's error: then none of them count. */
  async append(bytes: Uint8Array): Promise<void> {
    this.#file ??= await this.#open();
    const file = this.#file;
    await this.#makeNameLast();
    if (this.#isSpoiled) await this.#cutOff(file);
    this.#isSpoiled = true;
    try {
      for (let done = 0; done < bytes.length; ) {
        const left = bytes.length - done;
        const { bytesWritten } = await file.write(bytes, done, left, this.#end + done);
        done += bytesWritten;
      }
      await file.datasync();
    } catch (error) {
      // A disk that does not take this either has it cut off before more is appended.
      await this.#cutOff(file).catch(() => {});
      throw error;
    }
    this.#isSpoiled = false;
    this.#end += bytes.length;
  }

  /** What was written in part must not lie in front of, or behind, what is written later. */
  async #cutOff(file: OpenFile): Promise<void> {
    await file.truncate(this.#end);
    this.#isSpoiled = false;
  }

  /** Lets go of the file; a later append opens it again. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  async #open(): Promise<OpenFile> {
    const { disk } = this.#system;
    try {
      return await disk.open(this.#path, 'r+');
    } catch (error) {
      if (!isSystemError(error, 'ENOENT')) throw error;
      return await disk.open(this.#path, 'wx+', 0o600);
    }
  }

  /** Or a power failure may take the name, and with it what was synced. */
  async #makeNameLast(): Promise<void> {
    if (this.#isNamed) return;
    await syncFolder(dirname(this.#path), this.#system);
    this.#isNamed = true;
  }
}
