import { createHash } from 'node:crypto';
import { limits } from './limits.ts';
import type { System } from './system.ts';

/** SHA-256 of a file in hex, read by chunks. @throws the file system's error. */
export async function hashOfFile(path: string, { disk }: System): Promise<string> {
  const hash = createHash('sha256');
  await using file = await disk.open(path, 'r');
  const chunk = Buffer.allocUnsafe(limits.chunkBytes);
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(chunk.subarray(0, bytesRead));
    at += bytesRead;
  }
}
