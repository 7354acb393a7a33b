import type { StyleName } from '../style/theme.ts';

/** A word on what a key just did, in place of the key hints. */
export interface Notice {
  readonly text: string;
  readonly style: StyleName;
}

/** How long a notice hides the key hints if no key is pressed, in ms. */
const noticeMs = 5_000;

/** The notice that is shown now, until another, a key (which sets it to undefined) or its time ends it. */
export class CurrentNotice {
  readonly #onGone: () => void;
  #notice: Notice | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(onGone: () => void) {
    this.#onGone = onGone;
  }

  get shown(): Notice | undefined {
    return this.#notice;
  }

  show(notice: Notice | undefined): void {
    clearTimeout(this.#timer);
    this.#notice = notice;
    if (!notice) return;
    this.#timer = setTimeout(() => {
      this.#notice = undefined;
      this.#onGone();
    }, noticeMs).unref();
  }
}
