import { corruptFile } from './corrupt-file.ts';

/**
 * Reads the pickle inside an `.npy` file of dtype object whose elements are lists of integers, as
 * numpy under Python 2 and 3 writes it (protocol 2). Pickle is a program for a stack machine; this
 * one knows the opcodes that such an array needs and the three names it may use, calls nothing, and
 * refuses everything else. There are no back-references, so memory stays proportional to the input.
 *
 * @param bytes One whole pickle, nothing behind it.
 * @param file Named in errors.
 * @returns The array's elements; the array is one-dimensional.
 * @throws TeletrainError `dataset-corrupt`.
 */
export function unpickleIntegerLists(bytes: Uint8Array, file: string): Int32Array[] {
  const result = new Unpickler(bytes, file).run();
  if (!(result instanceof NumpyArray) || result.elements === undefined) {
    throw corruptFile(file, 'holds a pickle that is not an array of objects');
  }
  return result.elements;
}

const opcodes = {
  mark: 0x28, // '('
  stop: 0x2e, // '.'
  binInt: 0x4a, // 'J'
  binInt1: 0x4b, // 'K'
  binInt2: 0x4d, // 'M'
  none: 0x4e, // 'N'
  reduce: 0x52, // 'R'
  shortBinString: 0x55, // 'U'
  emptyList: 0x5d, // ']'
  append: 0x61, // 'a'
  build: 0x62, // 'b'
  global: 0x63, // 'c'
  appends: 0x65, // 'e'
  binPut: 0x71, // 'q'
  longBinPut: 0x72, // 'r'
  tuple: 0x74, // 't'
  proto: 0x80,
  tuple1: 0x85,
  tuple3: 0x87,
  newFalse: 0x89,
} as const;

class Global {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** Tuples are frozen, lists grow, so `(…)` and `[…]` are told apart by class. */
class Tuple {
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

class NumpyType {
  readonly code: string;
  constructor(code: string) {
    this.code = code;
  }
}

class NumpyArray {
  elements: Int32Array[] | undefined;
}

type Value =
  | number
  | string
  | boolean
  | null
  | Value[]
  | Int32Array
  | Tuple
  | Global
  | NumpyType
  | NumpyArray;

const reconstruct = 'numpy.core.multiarray _reconstruct';
const arrayClass = 'numpy ndarray';
const typeClass = 'numpy dtype';
const knownGlobals: ReadonlySet<string> = new Set([reconstruct, arrayClass, typeClass]);

class Unpickler {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #file: string;
  readonly #stack: Value[] = [];
  readonly #marks: number[] = [];
  #at = 0;

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#file = file;
  }

  run(): Value {
    const stack = this.#stack;
    for (;;) {
      const opcodeAt = this.#take(1);
      const opcode = this.#bytes[opcodeAt];
      switch (opcode) {
        case opcodes.binInt1:
          stack.push(this.#view.getUint8(this.#take(1)));
          break;
        case opcodes.binInt2:
          stack.push(this.#view.getUint16(this.#take(2), true));
          break;
        case opcodes.binInt:
          stack.push(this.#view.getInt32(this.#take(4), true));
          break;
        case opcodes.emptyList:
          stack.push([]);
          break;
        case opcodes.mark:
          this.#marks.push(stack.length);
          break;
        case opcodes.append:
          this.#append([this.#pop()]);
          break;
        case opcodes.appends:
          this.#append(this.#popToMark());
          break;
        // A memo that nothing may read from need not be kept.
        case opcodes.binPut:
          this.#take(1);
          break;
        case opcodes.longBinPut:
          this.#take(4);
          break;
        case opcodes.none:
          stack.push(null);
          break;
        case opcodes.newFalse:
          stack.push(false);
          break;
        case opcodes.shortBinString:
          stack.push(this.#text(this.#view.getUint8(this.#take(1))));
          break;
        case opcodes.tuple1:
          stack.push(new Tuple([this.#pop()]));
          break;
        case opcodes.tuple3: {
          const third = this.#pop();
          const second = this.#pop();
          stack.push(new Tuple([this.#pop(), second, third]));
          break;
        }
        case opcodes.tuple:
          stack.push(new Tuple(this.#popToMark()));
          break;
        case opcodes.global:
          stack.push(this.#global());
          break;
        case opcodes.reduce:
          stack.push(this.#reduce());
          break;
        case opcodes.build:
          this.#build();
          break;
        case opcodes.proto:
          if (this.#view.getUint8(this.#take(1)) !== 2 || opcodeAt !== 0) {
            throw this.#refuse('is not a pickle of protocol 2', opcodeAt);
          }
          break;
        case opcodes.stop: {
          const result = this.#pop();
          if (stack.length > 0 || this.#marks.length > 0 || this.#at !== this.#bytes.length) {
            throw this.#refuse('goes on after the end of its pickle', opcodeAt);
          }
          return result;
        }
        default:
          throw this.#refuse(
            `uses pickle opcode 0x${(opcode ?? 0).toString(16).padStart(2, '0')}, which arrays of integer lists never need`,
            opcodeAt,
          );
      }
    }
  }

  /** Moves past `size` bytes and gives where they begin. */
  #take(size: number): number {
    const from = this.#at;
    if (from + size > this.#bytes.length) {
      throw this.#refuse('ends in the middle of its pickle', from);
    }
    this.#at = from + size;
    return from;
  }

  #text(length: number): string {
    const from = this.#take(length);
    return String.fromCharCode(...this.#bytes.subarray(from, from + length));
  }

  #pop(): Value {
    const floor = this.#marks.at(-1) ?? 0;
    const value = this.#stack.length > floor ? this.#stack.pop() : undefined;
    if (value === undefined) {
      throw this.#refuse('takes a value from an empty pickle stack', this.#at);
    }
    return value;
  }

  #popToMark(): Value[] {
    const mark = this.#marks.pop();
    if (mark === undefined) {
      throw this.#refuse('closes a group that its pickle never opened', this.#at);
    }
    return this.#stack.splice(mark);
  }

  /** A list that joins another is complete, since nothing can refer back to it: it becomes typed. */
  #append(values: Value[]): void {
    const list = this.#pop();
    if (!Array.isArray(list)) {
      throw this.#refuse('appends to what is not a list', this.#at);
    }
    const complete = values.map((value) => (Array.isArray(value) ? this.#integers(value) : value));
    if (list.length === 0) {
      this.#stack.push(complete);
      return;
    }
    for (const value of complete) {
      list.push(value);
    }
    this.#stack.push(list);
  }

  #global(): Global {
    const line = () => {
      const end = this.#bytes.indexOf(0x0a, this.#at);
      const length = end - this.#at;
      if (end < 0 || length > 64) {
        throw this.#refuse('names something unreadable', this.#at);
      }
      const text = this.#text(length);
      this.#take(1);
      return text;
    };
    const from = this.#at;
    const name = `${line()} ${line()}`;
    if (!knownGlobals.has(name)) {
      throw this.#refuse(`asks for "${name}", which is never called here`, from);
    }
    return new Global(name);
  }

  /** `_reconstruct(ndarray, (0,), 'b')` and `dtype('O8', …)`: the only two calls known. */
  #reduce(): NumpyArray | NumpyType {
    const callArguments = this.#pop();
    const callee = this.#pop();
    if (callee instanceof Global && callArguments instanceof Tuple) {
      const first = callArguments.items[0];
      if (callee.name === reconstruct && first instanceof Global && first.name === arrayClass) {
        return new NumpyArray();
      }
      if (callee.name === typeClass && typeof first === 'string') {
        return new NumpyType(first);
      }
    }
    throw this.#refuse('calls something that arrays of integer lists never need', this.#at);
  }

  /** Gives an array its state: (version, shape, dtype, is Fortran order, elements). */
  #build(): void {
    const state = this.#pop();
    const target = this.#pop();
    if (target instanceof NumpyArray && state instanceof Tuple) {
      const [, shape, type, isFortranOrder, elements] = state.items;
      const size = shape instanceof Tuple && shape.items.length === 1 ? shape.items[0] : undefined;
      if (
        !(type instanceof NumpyType && /^O\d?$/.test(type.code)) ||
        isFortranOrder !== false ||
        !Array.isArray(elements) ||
        elements.length !== size
      ) {
        throw this.#refuse('holds no one-dimensional array of objects', this.#at);
      }
      target.elements = elements.map((element) => {
        if (!(element instanceof Int32Array)) {
          throw this.#refuse('holds elements that are no lists', this.#at);
        }
        return element;
      });
    } else if (!(target instanceof NumpyType)) {
      throw this.#refuse('gives a state to what has none', this.#at);
    }
    this.#stack.push(target);
  }

  #integers(list: readonly Value[]): Int32Array {
    const integers = new Int32Array(list.length);
    for (let at = 0; at < list.length; at += 1) {
      const value = list[at];
      if (typeof value !== 'number') {
        throw this.#refuse('holds a list of other things than integers', this.#at);
      }
      integers[at] = value;
    }
    return integers;
  }

  #refuse(problem: string, at: number): Error {
    return corruptFile(this.#file, `${problem} (byte ${at} of the pickle)`);
  }
}
