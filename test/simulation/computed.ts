import { limits } from '../../shared/limits.ts';
import type { Command } from '../../shared/tensors/commands.ts';
import type { StoredTypeName } from '../../shared/tensors/data.ts';
import type { Chance } from './chance.ts';

/** What a program must be told of one of its commands. */
export type Expected =
  | {
      readonly type: 'data';
      readonly id: number;
      readonly dtype: StoredTypeName;
      readonly shape: readonly number[];
      readonly bytes: Buffer;
    }
  | { readonly type: 'described'; readonly id: number; readonly outputs: readonly unknown[] }
  | {
      readonly type: 'failed';
      readonly id: number;
      readonly failure: { readonly code: string; readonly call: number };
    };

interface Issued {
  /** @param at where its bytes are in the batch. */
  readonly command: (at: number) => Command;
  readonly raw?: Uint8Array;
}

/** Some commands that belong together, and what must be told of them. */
export interface Step {
  readonly commands: readonly Issued[];
  readonly expected: readonly Expected[];
}

/** Values of a tensor, or the failure that its handle stands for. */
type Held = Float32Array | { readonly code: string; readonly call: number };

const kernels = {
  Add: (a: number, b: number) => a + b,
  Sub: (a: number, b: number) => a - b,
  Multiply: (a: number, b: number) => a * b,
  Maximum: (a: number, b: number) => Math.max(a, b),
} as const;
type Kernel = keyof typeof kernels;

/** Commands drawn by chance, computed at home as well. */
export class Computed {
  readonly #values: number;
  readonly #quotaBytes: number;
  readonly #held = new Map<number, Held>();
  #bytes = 0;
  #handles = 0;
  #ids = 0;
  #calls = 0;

  constructor(values: number, quotaBytes: number) {
    this.#values = values;
    this.#quotaBytes = quotaBytes;
  }

  next(chance: Chance): Step {
    if (this.#held.size < 2 || chance.happens(0.25)) return this.#upload(chance);
    if (this.#held.size > 12 || chance.happens(0.1)) return this.#dispose(chance);
    if (chance.happens(0.5)) return this.#run(chance);
    return chance.happens(0.9) ? this.#read(chance) : this.#describe(chance);
  }

  #upload(chance: Chance): Step {
    const values = new Float32Array(this.#values);
    const first = chance.below(1000);
    for (let place = 0; place < values.length; place += 1) {
      // No two parts are alike.
      values[place] = ((first + place * 7) % 1009) / 8;
    }
    const bytes = new Uint8Array(values.buffer);
    const handle = this.#newHandle();
    const shape = [this.#values];
    const head = (at: number): Command => {
      return ['upload', handle, 'float32', shape, bytes.length, at];
    };
    const call = this.#calls;
    const refusal = this.#refusal(bytes.length, call);
    this.#hold(handle, refusal ?? values);
    const expected = refusal ? [failed(0, refusal)] : [];
    const isInParts = bytes.length > limits.chunkBytes || chance.happens(0.3);
    if (!isInParts) return this.#step([{ command: head, raw: bytes }], expected);
    const partBytes = Math.min(limits.chunkBytes, Math.ceil(bytes.length / 12) * 4);
    const parts: Issued[] = [];
    for (let offset = 0; offset < bytes.length; offset += partBytes) {
      const raw = bytes.slice(offset, offset + partBytes);
      parts.push({ command: (at) => ['part', handle, offset, at, raw.length], raw });
    }
    return this.#step([{ command: () => head(-1) }, ...parts], expected);
  }

  #run(chance: Chance): Step {
    const kernel = chance.oneOf(Object.keys(kernels) as Kernel[]);
    const inputs = [this.#someHandle(chance), this.#someHandle(chance)];
    const output = this.#newHandle();
    const call = this.#calls;
    const command = (): Command => ['run', kernel, inputs, [], [output]];
    for (const input of inputs) {
      const held = this.#held.get(input);
      if (held instanceof Float32Array) continue;
      const failure = held ?? { code: 'unknown-tensor', call };
      this.#hold(output, failure);
      return this.#step([{ command }], held ? [] : [failed(0, failure)]);
    }
    const refusal = this.#refusal(this.#values * 4, call);
    if (refusal) {
      this.#hold(output, refusal);
      return this.#step([{ command }], [failed(0, refusal)]);
    }
    // Both were looked at above.
    const [a, b] = inputs.map((input) => this.#held.get(input)) as [Float32Array, Float32Array];
    const compute = kernels[kernel];
    const values = new Float32Array(this.#values);
    for (let place = 0; place < values.length; place += 1) {
      values[place] = compute(a[place] ?? 0, b[place] ?? 0);
    }
    this.#hold(output, values);
    return this.#step([{ command }], []);
  }

  #dispose(chance: Chance): Step {
    const handle = this.#someHandle(chance);
    const held = this.#held.get(handle);
    if (held instanceof Float32Array) this.#bytes -= held.byteLength;
    this.#held.delete(handle);
    return this.#step([{ command: () => ['dispose', [handle]] }], []);
  }

  #read(chance: Chance): Step {
    const handle = this.#someHandle(chance);
    const id = this.#newId();
    const held = this.#held.get(handle) ?? { code: 'unknown-tensor', call: this.#calls };
    const command = (): Command => ['read', id, handle];
    if (!(held instanceof Float32Array)) return this.#step([{ command }], [failed(id, held)]);
    const bytes = Buffer.from(held.slice().buffer);
    const expected = { type: 'data', id, dtype: 'float32', shape: [this.#values], bytes } as const;
    return this.#step([{ command }], [expected]);
  }

  #describe(chance: Chance): Step {
    const handle = this.#someHandle(chance);
    const id = this.#newId();
    const held = this.#held.get(handle) ?? { code: 'unknown-tensor', call: this.#calls };
    const command = (): Command => ['describe', id, [handle]];
    if (!(held instanceof Float32Array)) return this.#step([{ command }], [failed(id, held)]);
    const outputs = [['float32', [this.#values]]];
    return this.#step([{ command }], [{ type: 'described', id, outputs }]);
  }

  #step(commands: Step['commands'], expected: Step['expected']): Step {
    this.#calls += commands.length;
    return { commands, expected };
  }

  #hold(handle: number, held: Held): void {
    this.#held.set(handle, held);
    if (held instanceof Float32Array) this.#bytes += held.byteLength;
  }

  #refusal(bytes: number, call: number): { code: string; call: number } | undefined {
    return this.#bytes + bytes > this.#quotaBytes ? { code: 'tensor-memory', call } : undefined;
  }

  /** Mostly one that is held. */
  #someHandle(chance: Chance): number {
    if (chance.happens(0.03)) return 0;
    return chance.oneOf([...this.#held.keys(), ...(this.#held.size === 0 ? [0] : [])]);
  }

  #newHandle(): number {
    this.#handles += 1;
    return this.#handles;
  }

  #newId(): number {
    this.#ids += 1;
    return this.#ids;
  }
}

const failed = (id: number, failure: { code: string; call: number }): Expected => ({
  type: 'failed',
  id,
  failure,
});
