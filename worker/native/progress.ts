/** One line of progress of the engine's set-up. */
export interface SetupProgress {
  readonly step: 'wait' | 'find' | 'download' | 'unpack' | 'compile' | 'check';
  /** Fit to be shown as it is, e.g. "fetching TensorFlow 2.20.0 (259 MB)". */
  readonly message: string;
  /** Share of this step that is done, 0 to 1, where it is known. */
  readonly fraction?: number;
}

export type OnSetupProgress = (progress: SetupProgress) => void;
