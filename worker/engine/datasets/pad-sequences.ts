/**
 * Sequences as rows of one length, equal to Keras' `pad_sequences(sequences, maxlen=timesteps)`:
 * longer ones keep their end, shorter ones get zeros in front.
 * @returns [sequences.length, timesteps], row-major.
 */
export function padSequences(sequences: readonly Int32Array[], timesteps: number): Int32Array {
  const rows = new Int32Array(sequences.length * timesteps);
  sequences.forEach((sequence, row) => {
    const kept = sequence.subarray(Math.max(0, sequence.length - timesteps));
    rows.set(kept, (row + 1) * timesteps - kept.length);
  });
  return rows;
}
