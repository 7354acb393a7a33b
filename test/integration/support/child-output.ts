import type { ChildProcess } from 'node:child_process';

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a child process says, as far as its streams are pipes, and how it ends. */
export class ChildOutput {
  stdout = '';
  stderr = '';
  readonly ended: Promise<ChildEnd>;

  /** @param onMore called after each piece of either stream. */
  constructor(child: ChildProcess, onMore: () => void = () => {}) {
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      onMore();
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      onMore();
    });
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        const { stdout, stderr } = this;
        resolve({ code, signal, stdout, stderr });
      });
    });
  }
}
