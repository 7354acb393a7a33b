import { expect, it } from 'vitest';
import { Versions } from '../../../../worker/benchmarks/versions.ts';

it('shows the version of a participant beside the first one’s where they differ, over all cases', () => {
  const versions = new Versions();
  versions.add('teletrain', { node: '24.0.0', tensorflow: '2.20.0' });
  versions.add('keras', { keras: '3.15.1', tensorflow: '2.21.0' });
  versions.add('pytorch', { torch: '2.15.0' });
  versions.add('teletrain', { node: '24.0.0', tensorflow: '2.20.0' });
  expect(versions.byProgram()).toEqual({
    ...{ node: '24.0.0', tensorflow: '2.20.0', keras: '3.15.1', torch: '2.15.0' },
    'tensorflow of keras': '2.21.0',
  });
});
