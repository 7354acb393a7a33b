import { writeFileSync } from 'node:fs';
import { fileOf, makeVectors, type Vectors } from './vectors.ts';

/**
 * Writes `vectors/` anew: `node test/interop/make-vectors.ts`. What changes there changes the
 * protocol, unless it was added.
 */
for (const [name, vectors] of Object.entries(makeVectors())) {
  writeFileSync(fileOf(name as keyof Vectors), `${JSON.stringify(vectors, null, 2)}\n`);
}
