import { TeletrainError } from '../../../shared/errors.ts';

/**
 * The error for a file whose content cannot be what it should be.
 * @param file The file, or its member, as the user knows it.
 * @param problem Goes on from the name: "ends after 100 of 200 bytes".
 */
export function corruptFile(file: string, problem: string, cause?: unknown): TeletrainError {
  return new TeletrainError('dataset-corrupt', `${file} ${problem}.`, {
    hint: 'Delete that file and run again, or give a folder with the published file by --data-dir or TELETRAIN_DATA.',
    cause,
  });
}
