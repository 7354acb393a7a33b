/** What is read where it says that there is room, as by Node's `onread`. */
export interface RoomReader {
  /** Where the next bytes are to be put; never empty. */
  readonly room: Uint8Array;
  /** So many bytes were put where there was room. */
  took(length: number): void;
}

/** Gives a reader bytes that came another way than into its room. */
export function fillRoom(reader: RoomReader, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    const { room } = reader;
    const part = bytes.subarray(at, at + room.length);
    room.set(part);
    reader.took(part.length);
    at += part.length;
  }
}
