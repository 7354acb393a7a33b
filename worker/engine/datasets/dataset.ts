/** Examples in order, row-major. `inputs` holds `count` rows of `product(inputShape)` values. */
export interface Split {
  readonly count: number;
  readonly inputShape: readonly number[];
  readonly inputs: Int32Array | Uint8Array;
  /** Class of each example (sentiment 0/1, digit 0..9); absent where the source has none. */
  readonly labels?: Uint8Array;
}

export interface Dataset {
  readonly name: string;
  /** What was read and the SHA-256 of each file, for the run's record. */
  readonly sources: readonly { readonly file: string; readonly sha256: string }[];
  /** How pictures were made binary: `fixed` (published file) or `drawn once, seed N`; absent for text. */
  readonly binarization?: string;
  readonly train: Split;
  readonly validation: Split;
  readonly test: Split;
}

export interface DatasetProgress {
  readonly what: string;
  readonly done: number;
  readonly total: number;
}

export interface DatasetOptions {
  /** A folder with the files, tried first. Default: none. */
  readonly dataDir?: string;
  /** Where downloads are kept. Default: the platform's cache folder. */
  readonly cacheDir?: string;
  readonly onProgress?: (progress: DatasetProgress) => void;
  readonly signal?: AbortSignal;
}
