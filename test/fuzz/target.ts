import { readFileSync } from 'node:fs';
import { longestErrorText, TeletrainError } from '../../shared/errors.ts';
import type { Chance } from './chance.ts';
import type { Input } from './input.ts';

/** Something that strangers' bytes get into. */
export interface Target {
  readonly name: string;
  /** How many of a thousand inputs are for it. */
  readonly share: number;
  /** Most memory in bytes that an input may take beside what its own length explains. */
  readonly memory: number;
  make(chance: Chance): Input;
  /** @returns what became of it, in words that can be counted. Throws whatever escapes. */
  run(input: Input): Promise<string>;
  close(): Promise<void>;
}

const protocol = readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8');

/** A refusal that PROTOCOL.md names, as one word. Throws anything else on. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof TeletrainError)) throw error;
  requireReason(error);
  return error.code;
}

export function requireReason(reason: { code: string; message: string; hint: string }): void {
  if (!protocol.includes(`\`${reason.code}\``)) {
    throw new Error(`PROTOCOL.md does not name the error ${reason.code}`);
  }
  for (const text of [reason.message, reason.hint]) {
    if (text.length === 0 || text.length > longestErrorText) {
      throw new Error(`${reason.code}: a message of ${text.length} characters`);
    }
  }
}

export function requireCloseCode(code: number): void {
  if (!protocol.includes(`\n| ${code} | `)) {
    throw new Error(`PROTOCOL.md does not name the close code ${code}`);
  }
}
