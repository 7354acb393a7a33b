import { TeletrainError } from './errors.ts';

const known: Readonly<Record<string, readonly [code: string, what: string, hint: string]>> = {
  ENOSPC: [
    'disk-full',
    'The disk is full',
    'Free some space; "teletrain clean" shows what teletrain can give back.',
  ],
  EDQUOT: [
    'disk-full',
    'The disk has no more room for this user',
    'Free some space; "teletrain clean" shows what teletrain can give back.',
  ],
  EIO: ['disk-failed', 'The disk failed', 'See whether the disk is sound, and mounted.'],
  EACCES: [
    'not-permitted',
    'The system does not permit it',
    'Check who owns the file and its folder.',
  ],
  EPERM: [
    'not-permitted',
    'The system does not permit it',
    'Check who owns the file and its folder.',
  ],
  EROFS: [
    'not-permitted',
    'The disk cannot be written to',
    'Choose another folder; TELETRAIN_HOME moves the one that teletrain uses.',
  ],
  EMFILE: [
    'too-many-files',
    'Too many files are open',
    'Close other programs or raise the limit with "ulimit -n".',
  ],
  ENOTDIR: ['not-a-folder', 'A part of the path is a file, not a folder', 'Check the path.'],
  // What mkdir says of a file that stands where a folder is wanted.
  EEXIST: ['not-a-folder', 'Something that is no folder is there already', 'Check the path.'],
  // The parent is there, and the system lets nobody make a folder in it, as in /proc.
  'ENOENT of mkdir': [
    'not-permitted',
    'No folder can be made there',
    'Choose another folder; TELETRAIN_HOME moves the one that teletrain uses.',
  ],
  EISDIR: ['not-a-file', 'The path is a folder, not a file', 'Give the path of a file.'],
};

/**
 * Trouble with the disk as the user's to mend, not as a fault of the program.
 * @returns undefined for an error that is none of these.
 */
export function diskTrouble(error: unknown): TeletrainError | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const call = 'syscall' in error ? error.syscall : '';
  const found = known[String(error.code)] ?? known[`${error.code} of ${call}`];
  if (!found) return undefined;
  const [code, what, hint] = found;
  const path = 'path' in error && typeof error.path === 'string' ? `: ${error.path}` : '';
  return new TeletrainError(code, `${what}${path}.`, { hint, cause: error });
}
