/** A problem that the user can mend: printed as it is, without a stack. */
export class SetupError extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

/** Ends the process as a failed command does, after one line of what happened and one of what to do. */
export function fail(error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  if (error.hint) say(error.hint);
  process.exit(1);
}

/** Progress goes to standard error: standard output belongs to the command. */
export function say(message) {
  process.stderr.write(`teletrain: ${message}\n`);
}
