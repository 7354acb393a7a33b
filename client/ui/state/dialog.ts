import type { SetupProgress } from '../../session/types.ts';
import type { Form } from './form.ts';

export interface Answer {
  readonly label: string;
  /** Takes this answer at once. */
  readonly key?: string;
  readonly description?: string;
  take(): void;
}

/** What lies over a screen until it is answered. */
export type Dialog =
  | {
      readonly kind: 'choice';
      readonly title: string;
      readonly lines: readonly string[];
      readonly answers: readonly Answer[];
      readonly chosen: number;
    }
  | {
      readonly kind: 'form';
      readonly title: string;
      readonly lines: readonly string[];
      readonly form: Form;
      check(form: Form): Form;
      submit(form: Form): void;
    }
  | {
      readonly kind: 'progress';
      readonly title: string;
      readonly progress: SetupProgress;
      cancel(): void;
    };
