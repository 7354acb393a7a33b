/** An error of the operating system (disk full, no permission, ...). */
export const isErrnoException = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'errno' in error && 'code' in error;
