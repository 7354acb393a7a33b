import { expect, test } from 'vitest';
import { connect } from '../../client/remote/connect.ts';
import { createClient } from '../../client/session/client.ts';
import { endsWithTest } from './session-set-up.ts';
import { temporaryHome, WorkerProcess } from './support/worker-process.ts';

test.each(['operations', 'composed'])(
  'a session computes its layers as the runs of its worker do, whatever else would be faster: by %s',
  async (used) => {
    await using workerHome = await temporaryHome();
    await using home = await temporaryHome();
    await using worker = new WorkerProcess(workerHome.path, {
      args: endsWithTest,
      environment: { SMALL_ENGINE_LSTM: used },
    });
    const { url, code } = await worker.listening();
    const client = createClient({ home: home.path });
    await client.connectWorker(url, { code, name: 'colab' });
    await client.close();
    const session = await connect('colab', { home: home.path });
    const lstm = session.engine.layers?.find(({ layer }) => layer === 'LSTM');
    session.close();
    const wished = lstm?.implementations.find(({ name }) => name === used);
    expect(lstm?.used).toBe(used);
    expect(wished?.reason).toContain('TELETRAIN_IMPLEMENTATION asks for it');
  },
);
