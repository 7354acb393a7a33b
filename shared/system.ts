import type { Clock } from './clock.ts';

/**
 * What our programs ask of the machine that they run on. They are given it, so that a simulator can
 * be that machine: with a disk that tears writes, a clock that jumps and chance that can be had
 * again (ARCHITECTURE.md, "Simulation"). Node's is `worker/system.ts` and `client/session/system.ts`.
 */
export interface System {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly processes: Processes;
}

export interface Random {
  bytes(count: number): Buffer;
  /** At least 0, below 1. */
  fraction(): number;
}

export interface Processes {
  /** This program's own id. */
  readonly own: number;
  isAlive(id: number): boolean;
}

/** The part of `node:fs/promises` that we use, with its meaning and its errors. */
export interface Disk {
  open(path: string, flags: string | number, mode?: number): Promise<OpenFile>;
  readFile(path: string): Promise<Buffer>;
  readFile(path: string, encoding: 'utf8'): Promise<string>;
  writeFile(path: string, content: string | Uint8Array): Promise<void>;
  readdir(path: string): Promise<string[]>;
  stat(path: string): Promise<FileStatus>;
  lstat(path: string): Promise<FileStatus>;
  statfs(path: string): Promise<{ readonly bavail: number; readonly bsize: number }>;
  mkdir(path: string, options?: { recursive?: boolean; mode?: number }): Promise<unknown>;
  rename(from: string, to: string): Promise<void>;
  link(existing: string, path: string): Promise<void>;
  rm(path: string, options?: { recursive?: boolean; force?: boolean }): Promise<void>;
  chmod(path: string, mode: number): Promise<void>;
  utimes(path: string, accessed: Date, modified: Date): Promise<void>;
}

export interface FileStatus {
  readonly size: number;
  readonly mode: number;
  readonly mtimeMs: number;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** The part of Node's `FileHandle` that we use. */
export interface OpenFile extends AsyncDisposable {
  read(
    into: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesRead: number }>;
  write(
    from: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
  writeFile(content: string | Uint8Array): Promise<void>;
  appendFile(content: Uint8Array): Promise<void>;
  truncate(length: number): Promise<void>;
  stat(): Promise<FileStatus>;
  /** Everything of the file is on disk, its length and times too; `datasync` leaves the times out. */
  sync(): Promise<void>;
  datasync(): Promise<void>;
  close(): Promise<void>;
}
