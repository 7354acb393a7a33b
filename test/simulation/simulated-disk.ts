import { constants } from 'node:fs';
import { dirname } from 'node:path';
import type { Disk, FileStatus, OpenFile } from '../../shared/system.ts';
import type { Chance } from './chance.ts';

/** A write or a cut of a file that no sync has made durable yet, with what it did away with. */
interface Change {
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly before: Buffer;
  readonly sizeBefore: number;
  readonly sizeAfter: number;
}

interface FileNode {
  readonly kind: 'file';
  bytes: Buffer;
  size: number;
  mtimeMs: number;
  unsynced: Change[];
}
interface FolderNode {
  readonly kind: 'folder';
}
type Node = FileNode | FolderNode;

/** What goes wrong with a disk from now on. */
export interface DiskTrouble {
  /** Probability that a write or a sync fails, and how. */
  readonly failing?: { readonly code: 'ENOSPC' | 'EIO'; readonly probability: number };
  /** How many times slower it is. */
  readonly slowness?: number;
}

const sectorBytes = 512;

/**
 * A disk with a cache, as a power failure shows it: what was written and not synced may be there,
 * in part or not at all, sector by sector; names that were made, moved or removed last only when
 * their folder was synced, in their order, as a file system that keeps a log has it.
 */
export class SimulatedDisk {
  readonly #chance: Chance;
  readonly #nodes = new Map<string, Node>([['/', { kind: 'folder' }]]);
  /** Changes of names that no folder's sync has made durable yet: how to take each back. */
  #unsyncedNames: (() => void)[] = [];
  trouble: DiskTrouble = {};
  /** It has refused something. */
  hasFailed = false;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** The power fails: what the cache held is decided upon. */
  losePower(): void {
    const kept = this.#chance.below(this.#unsyncedNames.length + 1);
    for (const takeBack of this.#unsyncedNames.splice(kept).reverse()) takeBack();
    this.#unsyncedNames = [];
    for (const node of new Set(this.#nodes.values())) {
      if (node.kind === 'file' && node.unsynced.length > 0) this.#settle(node);
    }
  }

  /** What a program sees of a file now; undefined where there is none. */
  peek(path: string): Buffer | undefined {
    const node = this.#nodes.get(path);
    return node?.kind === 'file' ? node.bytes.subarray(0, node.size) : undefined;
  }

  /** Names in a folder. */
  names(path: string): string[] {
    const inside = path === '/' ? '/' : `${path}/`;
    return [...this.#nodes.keys()]
      .filter((other) => other.startsWith(inside) && other !== path)
      .map((other) => other.slice(inside.length))
      .filter((name) => !name.includes('/'));
  }

  /** Puts a durable file there, with the folders above it. */
  place(path: string, content: string): void {
    for (let folder = dirname(path); !this.#nodes.has(folder); folder = dirname(folder)) {
      this.#nodes.set(folder, { kind: 'folder' });
    }
    const bytes = Buffer.from(content);
    this.#nodes.set(path, { kind: 'file', bytes, size: bytes.length, mtimeMs: 0, unsynced: [] });
  }

  // What the system calls do, at once

  open(path: string, flags: string | number, now: number): Node {
    const known = this.#nodes.get(path);
    const makes = typeof flags === 'string' && /[wa]/.test(flags);
    if (!makes) {
      if (!known) throw systemError('ENOENT', 'open', path);
      if (known.kind === 'folder' && flags !== 'r' && flags !== constants.O_RDONLY) {
        throw systemError('EISDIR', 'open', path);
      }
      return known;
    }
    if (known && flags.includes('x')) throw systemError('EEXIST', 'open', path);
    if (known?.kind === 'folder') throw systemError('EISDIR', 'open', path);
    if (known) {
      if (flags.startsWith('w')) this.#change(known, 0, new Uint8Array(0), 0);
      return known;
    }
    this.#requireFolder(dirname(path), path);
    const node: Node = {
      kind: 'file',
      bytes: Buffer.alloc(0),
      size: 0,
      mtimeMs: now,
      unsynced: [],
    };
    this.#name(path, node);
    return node;
  }

  write(node: FileNode, at: number, bytes: Uint8Array, now: number): void {
    this.#change(node, at, bytes, Math.max(node.size, at + bytes.length));
    node.mtimeMs = now;
  }

  truncate(node: FileNode, length: number): void {
    this.#change(node, length, new Uint8Array(0), length);
  }

  sync(node: Node): void {
    if (node.kind === 'file') node.unsynced = [];
    else this.#unsyncedNames = [];
  }

  makeFolder(path: string, recursive: boolean): void {
    const known = this.#nodes.get(path);
    if (known) {
      if (recursive && known.kind === 'folder') return;
      throw systemError('EEXIST', 'mkdir', path);
    }
    if (recursive && !this.#nodes.has(dirname(path))) this.makeFolder(dirname(path), true);
    this.#requireFolder(dirname(path), path);
    this.#name(path, { kind: 'folder' });
  }

  rename(from: string, to: string): void {
    const node = this.#nodes.get(from);
    if (!node) throw systemError('ENOENT', 'rename', from);
    this.#requireFolder(dirname(to), to);
    const target = this.#nodes.get(to);
    if (target?.kind === 'folder' && this.names(to).length > 0) {
      throw systemError('ENOTEMPTY', 'rename', to);
    }
    const moved = this.#below(from);
    const move = (path: string): string => to + path.slice(from.length);
    for (const [path] of moved) this.#nodes.delete(path);
    for (const [path, child] of moved) this.#nodes.set(move(path), child);
    this.#unsyncedNames.push(() => {
      for (const [path] of moved) this.#nodes.delete(move(path));
      for (const [path, child] of moved) this.#nodes.set(path, child);
      if (target) this.#nodes.set(to, target);
    });
  }

  link(existing: string, path: string): void {
    const node = this.#nodes.get(existing);
    if (!node) throw systemError('ENOENT', 'link', existing);
    if (this.#nodes.has(path)) throw systemError('EEXIST', 'link', path);
    this.#name(path, node);
  }

  remove(path: string, { recursive = false, force = false }): void {
    const node = this.#nodes.get(path);
    if (!node) {
      if (force) return;
      throw systemError('ENOENT', 'rm', path);
    }
    if (node.kind === 'folder' && !recursive) throw systemError('EISDIR', 'rm', path);
    const removed = this.#below(path);
    for (const [name] of removed) this.#nodes.delete(name);
    this.#unsyncedNames.push(() => {
      for (const [name, child] of removed) this.#nodes.set(name, child);
    });
  }

  status(path: string): FileStatus {
    const node = this.#nodes.get(path);
    if (!node) throw systemError('ENOENT', 'stat', path);
    return statusOf(node);
  }

  list(path: string): string[] {
    if (this.#nodes.get(path)?.kind !== 'folder') throw systemError('ENOENT', 'scandir', path);
    return this.names(path);
  }

  touch(path: string, modified: Date): void {
    const node = this.#nodes.get(path);
    if (!node) throw systemError('ENOENT', 'utimes', path);
    if (node.kind === 'file') node.mtimeMs = modified.getTime();
  }

  /** Milliseconds that a system call takes. */
  latency(isSync: boolean): number {
    const usual = isSync ? this.#chance.spread(0.5, 20) : this.#chance.spread(0.02, 1);
    return usual * (this.trouble.slowness ?? 1);
  }

  /** @throws the trouble, now and then. */
  refuse(call: string): void {
    const { failing } = this.trouble;
    if (!failing || (call === 'read' && failing.code === 'ENOSPC')) return;
    if (!this.#chance.happens(failing.probability)) return;
    this.hasFailed = true;
    throw systemError(failing.code, call);
  }

  /** How many of these bytes a write takes: mostly all. */
  taken(bytes: number): number {
    return bytes > 1 && this.#chance.happens(0.02) ? 1 + this.#chance.below(bytes - 1) : bytes;
  }

  #name(path: string, node: Node): void {
    this.#nodes.set(path, node);
    this.#unsyncedNames.push(() => this.#nodes.delete(path));
  }

  #below(path: string): [string, Node][] {
    return [...this.#nodes].filter(([name]) => name === path || name.startsWith(`${path}/`));
  }

  #requireFolder(folder: string, path: string): void {
    const node = this.#nodes.get(folder);
    if (node?.kind === 'folder') return;
    throw systemError(node ? 'ENOTDIR' : 'ENOENT', 'open', path);
  }

  #change(node: FileNode, at: number, bytes: Uint8Array, sizeAfter: number): void {
    const sizeBefore = node.size;
    const overwritten = node.bytes.subarray(at, Math.max(at + bytes.length, sizeBefore));
    const change = { at, bytes, before: Buffer.from(overwritten), sizeBefore, sizeAfter };
    node.unsynced.push(change);
    apply(node, change);
  }

  /** Goes back to what is durable, and does a part of the rest again. */
  #settle(node: FileNode): void {
    const changes = node.unsynced;
    node.unsynced = [];
    for (const { at, before, sizeBefore } of [...changes].reverse()) {
      reserve(node, at + before.length);
      node.bytes.set(before, at);
      node.size = sizeBefore;
    }
    const kept = this.#chance.below(changes.length + 1);
    for (const change of changes.slice(0, kept)) apply(node, change);
    const next = changes[kept];
    if (!next || this.#chance.happens(0.3)) return;
    if (this.#chance.happens(0.5)) {
      const part = next.bytes.slice(0, this.#chance.below(next.bytes.length + 1));
      apply(node, {
        ...next,
        bytes: part,
        sizeAfter: Math.min(next.sizeAfter, next.at + part.length),
      });
      return;
    }
    // The length arrived; of the bytes, some sectors did.
    const old = node.size;
    const lost = next.bytes.slice();
    for (let sector = 0; sector < lost.length; sector += sectorBytes) {
      if (this.#chance.happens(0.5)) continue;
      for (let byte = sector; byte < Math.min(lost.length, sector + sectorBytes); byte += 1) {
        const place = next.at + byte;
        lost[byte] = place < old ? (node.bytes[place] ?? 0) : 0;
      }
    }
    apply(node, { ...next, bytes: lost });
  }
}

function apply(
  node: FileNode,
  { at, bytes, sizeAfter }: Pick<Change, 'at' | 'bytes' | 'sizeAfter'>,
): void {
  reserve(node, Math.max(sizeAfter, at + bytes.length));
  if (at > node.size) node.bytes.fill(0, node.size, at);
  node.bytes.set(bytes, at);
  node.size = sizeAfter;
}

function reserve(node: FileNode, length: number): void {
  if (length <= node.bytes.length) return;
  const larger = Buffer.alloc(Math.max(length, 2 * node.bytes.length, 1024));
  larger.set(node.bytes.subarray(0, node.size));
  node.bytes = larger;
}

function statusOf(node: Node): FileStatus {
  const isFile = node.kind === 'file';
  return {
    size: isFile ? node.size : 0,
    mtimeMs: isFile ? node.mtimeMs : 0,
    mode: isFile ? 0o100600 : 0o40700,
    isFile: () => isFile,
    isDirectory: () => !isFile,
  };
}

export function systemError(code: string, syscall: string, path = ''): Error {
  return Object.assign(new Error(`${code}: ${syscall} '${path}' (simulated)`), {
    code,
    syscall,
    path,
  });
}

/** How a program's calls reach the disk: later, and not at all once the program is dead. */
export interface Calls {
  /** Wall clock, in ms. */
  now(): number;
  /**
   * Does it after so long. When the program is killed meanwhile it is done or not; nobody is told.
   */
  later(milliseconds: number, call: (isHeard: boolean) => void): void;
}

/** The disk as one program has it. */
export function diskOf(disk: SimulatedDisk, calls: Calls): Disk {
  const ask = <Answer>(isSync: boolean, work: () => Answer): Promise<Answer> =>
    new Promise((resolve, reject) => {
      calls.later(disk.latency(isSync), (isHeard) => {
        try {
          const answer = work();
          if (isHeard) resolve(answer);
        } catch (error) {
          if (isHeard) reject(error);
        }
      });
    });
  const write = (node: FileNode, at: number, bytes: Uint8Array): Promise<number> => {
    // The caller may use its buffer again as soon as it has the answer, not before.
    return ask(false, () => {
      disk.refuse('write');
      const taken = disk.taken(bytes.length);
      disk.write(node, at, bytes.slice(0, taken), calls.now());
      return taken;
    });
  };
  const writeAll = async (node: FileNode, at: number, bytes: Uint8Array): Promise<void> => {
    for (let done = 0; done < bytes.length; ) {
      done += await write(node, at + done, bytes.subarray(done));
    }
  };
  const handle = (node: Node): OpenFile => {
    const file = node as FileNode;
    const sync = (): Promise<void> =>
      ask(true, () => {
        disk.refuse('fsync');
        disk.sync(node);
      });
    const close = (): Promise<void> => ask(false, () => {});
    return {
      read: (into, offset, length, position) =>
        ask(false, () => {
          disk.refuse('read');
          const bytes = file.bytes.subarray(position, Math.min(file.size, position + length));
          into.set(bytes, offset);
          return { bytesRead: bytes.length };
        }),
      write: async (from, offset, length, position) => ({
        bytesWritten: await write(file, position, from.subarray(offset, offset + length)),
      }),
      writeFile: (content) => writeAll(file, 0, Buffer.from(content)),
      appendFile: (content) => writeAll(file, file.size, content),
      truncate: (length) =>
        ask(false, () => {
          disk.refuse('ftruncate');
          disk.truncate(file, length);
        }),
      stat: () => ask(false, () => statusOf(node)),
      sync,
      datasync: sync,
      close,
      [Symbol.asyncDispose]: close,
    };
  };
  const open = (path: string, flags: string | number): Promise<OpenFile> =>
    ask(false, () => handle(disk.open(path, flags, calls.now())));
  function readFile(path: string): Promise<Buffer>;
  function readFile(path: string, encoding: 'utf8'): Promise<string>;
  function readFile(path: string, encoding?: 'utf8'): Promise<Buffer | string> {
    return ask(false, () => {
      const bytes = disk.peek(path);
      if (!bytes) throw systemError('ENOENT', 'open', path);
      return encoding ? bytes.toString('utf8') : Buffer.from(bytes);
    });
  }
  return {
    open,
    readFile,
    writeFile: async (path, content) => {
      await using file = await open(path, 'w');
      await file.writeFile(content);
    },
    readdir: (path) => ask(false, () => disk.list(path)),
    stat: (path) => ask(false, () => disk.status(path)),
    lstat: (path) => ask(false, () => disk.status(path)),
    statfs: () => ask(false, () => ({ bavail: 1e6, bsize: 4096 })),
    mkdir: (path, { recursive = false } = {}) =>
      ask(false, () => {
        disk.refuse('mkdir');
        disk.makeFolder(path, recursive);
      }),
    rename: (from, to) => ask(false, () => disk.rename(from, to)),
    link: (existing, path) => ask(false, () => disk.link(existing, path)),
    rm: (path, options = {}) => ask(false, () => disk.remove(path, options)),
    chmod: (path) => ask(false, () => void disk.status(path)),
    utimes: (path, _accessed, modified) => ask(false, () => disk.touch(path, modified)),
  };
}
