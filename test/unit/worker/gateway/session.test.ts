import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { TeletrainError } from '../../../../shared/errors.ts';
import { encodeFrame } from '../../../../shared/frames.ts';
import { closeCodes, limits } from '../../../../shared/limits.ts';
import { type FrameKind, frameKinds, methods } from '../../../../shared/messages.ts';
import type { GatewayWelcome } from '../../../../worker/gateway/door.ts';
import { Session, type SessionStep } from '../../../../worker/gateway/session.ts';

const hello = {
  protocol: { min: 1, max: 1 },
  client: { id: 'client-1234', name: 'laptop', version: '0.1.0' },
  auth: { code: 'K7QM-2XPD' },
};
const welcome: GatewayWelcome = {
  worker: { id: 'w', name: 'w', version: '0.1.0', epoch: 'e', startedAt: 0 },
  capabilities: [],
  limits: {},
  role: 'control',
};
const request = (id: string, method = 'worker.info', params: unknown = {}) =>
  encodeFrame('request', { id, method, params });
const closing = (steps: SessionStep[]) => steps.find((step) => step.do === 'close');
const sent = (steps: SessionStep[]) => steps.filter((step) => step.do === 'send');

let session: Session;
beforeEach(() => {
  session = new Session(0);
});
function welcomed(): Session {
  session.receive(encodeFrame('hello', hello), 0);
  session.welcome(welcome, 0);
  return session;
}

describe('before the welcome', () => {
  test('a hello is handed on to be looked at, and the welcome answers it', () => {
    expect(session.receive(encodeFrame('hello', hello), 1)).toEqual([
      { do: 'authenticate', hello },
    ]);
    expect(session.isWelcomed).toBe(false);
    const header = { ...welcome, protocol: 1 };
    expect(session.welcome(welcome, 2)).toEqual([{ do: 'send', kind: 'welcome', header }]);
    expect(session.isWelcomed).toBe(true);
  });

  test('nothing is done but a hello', () => {
    const steps = session.receive(request('a'), 1);
    expect(closing(steps)).toEqual({
      do: 'close',
      code: closeCodes.unauthorised,
      reason: 'unauthorised',
    });
    expect(steps.some((step) => step.do === 'perform')).toBe(false);
    expect(session.receive(encodeFrame('hello', hello), 2)).toEqual([]);
  });

  test('not even while the hello is looked at', () => {
    session.receive(encodeFrame('hello', hello), 1);
    expect(closing(session.receive(request('a'), 2))).toMatchObject({ code: closeCodes.malformed });
    expect(session.welcome(welcome, 3)).toEqual([]);
  });

  test('a client of other versions is told which end is older', () => {
    const of = (min: number, max: number) => {
      const steps = new Session(0).receive(
        encodeFrame('hello', { ...hello, protocol: { min, max } }),
        0,
      );
      expect(closing(steps)).toMatchObject({ code: closeCodes.unsupportedVersion });
      return sent(steps).map(({ header }) => (header as { error: { hint: string } }).error.hint)[0];
    };
    expect(of(2, 3)).toBe('Update the worker.');
    expect(of(0, 0)).toBe('Update the client.');
    expect(
      new Session(0).receive(encodeFrame('hello', { ...hello, protocol: { min: 0, max: 9 } }), 0),
    ).toMatchObject([{ do: 'authenticate' }]);
  });

  test('silence ends after five seconds, also that of a hello whose answer never comes', () => {
    expect(session.nextTickAt).toBe(limits.authenticationMs);
    expect(session.tick(limits.authenticationMs - 1)).toEqual([]);
    expect(closing(session.tick(limits.authenticationMs))).toMatchObject({
      code: closeCodes.authenticationTimeout,
    });
    expect(session.nextTickAt).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('a welcomed session', () => {
  test('hands on a request with its parameters checked, and answers under its id', () => {
    welcomed();
    const payload = new Uint8Array([1, 2, 3]);
    const steps = session.receive(
      encodeFrame(
        'request',
        { id: 'a', method: 'run.stop', params: { run: 'one', when: 'now', more: 1 } },
        payload,
      ),
      1,
    );
    expect(steps).toMatchObject([
      {
        do: 'perform',
        request: { id: 'a', method: 'run.stop', params: { run: 'one', when: 'now' } },
      },
    ]);
    expect(session.answer('a', { fine: true }, undefined, 2)).toEqual([
      { do: 'send', kind: 'response', header: { id: 'a', result: { fine: true } } },
    ]);
    expect(session.answer('a', { twice: true }, undefined, 3)).toEqual([]);
  });

  test.each([
    ['an unknown method', request('a', 'run.fly'), 'unknown-method'],
    ['a method that every object has', request('a', 'toString'), 'unknown-method'],
    ['wrong parameters', request('a', 'run.stop', { run: '../x', when: 'now' }), 'bad-params'],
  ])('answers %s with an error under its id, and stays open', (_what, message, code) => {
    welcomed();
    const steps = session.receive(message, 1);
    expect(steps).toMatchObject([
      { do: 'send', kind: 'error', header: { id: 'a', error: { code } } },
    ]);
    expect(session.isWelcomed).toBe(true);
  });

  test('does not do a request twice that arrives twice while it is being done', () => {
    welcomed();
    expect(session.receive(request('a'), 1)).toHaveLength(1);
    expect(session.receive(request('a'), 2)).toEqual([]);
  });

  test('refuses a request more than may wait, and takes one again when one was answered', () => {
    welcomed();
    for (let count = 0; count < limits.requestsInFlight; count += 1)
      session.receive(request(`r${count}`), 1);
    expect(session.receive(request('more'), 2)).toMatchObject([
      { header: { id: 'more', error: { code: 'too-many-requests' } } },
    ]);
    session.answer('r0', {}, undefined, 3);
    expect(session.receive(request('more'), 4)).toMatchObject([{ do: 'perform' }]);
  });

  test('passes a cancel on only for what is being done', () => {
    welcomed();
    session.receive(request('a'), 1);
    expect(session.receive(encodeFrame('cancel', { id: 'a' }), 2)).toEqual([
      { do: 'cancel', id: 'a' },
    ]);
    expect(session.receive(encodeFrame('cancel', { id: 'b' }), 2)).toEqual([]);
  });

  test('answers a ping with the time that came', () => {
    welcomed();
    expect(session.receive(encodeFrame('ping', { time: 12.5 }), 1)).toEqual([
      { do: 'send', kind: 'pong', header: { time: 12.5 } },
    ]);
  });

  test('pings when it sent nothing for a while, and gives up on who is silent', () => {
    welcomed();
    expect(session.nextTickAt).toBe(limits.heartbeatMs);
    expect(session.tick(limits.heartbeatMs)).toEqual([
      { do: 'send', kind: 'ping', header: { time: limits.heartbeatMs } },
    ]);
    session.receive(encodeFrame('pong', { time: 0 }), limits.heartbeatMs + 5);
    session.noteSent(limits.heartbeatMs + 100);
    expect(session.tick(2 * limits.heartbeatMs + 99)).toEqual([]);
    expect(session.tick(2 * limits.heartbeatMs + 100)).toMatchObject([{ kind: 'ping' }]);
    expect(session.tick(limits.heartbeatMs + 5 + limits.silenceMs)).toEqual([{ do: 'terminate' }]);
    expect(session.receive(request('late'), limits.silenceMs * 3)).toEqual([]);
  });

  test('says a bye with the reason when the worker stops', () => {
    welcomed();
    const reason = new TeletrainError('worker-stopping', 'The worker stops.', {
      hint: 'Start it again.',
    });
    expect(session.end(reason, closeCodes.workerStopping, 1)).toEqual([
      { do: 'send', kind: 'bye', header: { reason: reason.toJSON() } },
      { do: 'close', code: closeCodes.workerStopping, reason: 'worker-stopping' },
    ]);
    expect(session.end(reason, closeCodes.workerStopping, 2)).toEqual([]);
  });

  test('closes at kinds that only a worker sends', () => {
    for (const kind of ['hello', 'welcome', 'response', 'error', 'event', 'status'] as const) {
      session = new Session(0);
      welcomed();
      expect(closing(session.receive(encodeFrame(kind, hello), 1))).toMatchObject({
        code: closeCodes.malformed,
      });
    }
  });
});

test('whatever arrives in whatever order, nothing is thrown, and after a close nothing is said', () => {
  const kinds = Object.keys(frameKinds) as FrameKind[];
  const header = fc.oneof(
    fc.constant(hello),
    fc.constant({ id: 'a', method: 'worker.info', params: {} }),
    fc.record(
      {
        id: fc.string({ maxLength: 80 }),
        method: fc.string(),
        params: fc.jsonValue(),
        time: fc.double(),
      },
      { requiredKeys: [] },
    ),
    fc.jsonValue(),
  );
  const message = fc.oneof(
    fc
      .tuple(fc.constantFrom(...kinds), header)
      .map(([kind, value]) => new Uint8Array(encodeFrame(kind, value))),
    fc.uint8Array({ maxLength: 60 }),
  );
  fc.assert(
    fc.property(fc.array(message, { maxLength: 12 }), (messages) => {
      const subject = new Session(0);
      let isClosed = false;
      for (const [index, bytes] of messages.entries()) {
        const steps = subject.receive(bytes, index);
        if (isClosed) expect(steps).toEqual([]);
        for (const step of steps) {
          if (step.do === 'authenticate') steps.push(...subject.welcome(welcome, index));
          if (step.do === 'close' || step.do === 'terminate') isClosed = true;
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

describe('a session of an observer', () => {
  const observing = (): Session => {
    session.receive(encodeFrame('hello', hello), 0);
    session.welcome({ ...welcome, role: 'observe' }, 0);
    return session;
  };
  /** Right parameters do not matter: who may not ask is told so before they are looked at. */
  const verdictOn = (method: string) => {
    const [step] = observing().receive(request('a', method, null), 1);
    return step?.do === 'send' && (step.header as { error: { code: string } }).error.code;
  };

  test.each(Object.entries(methods))('asks %s only if it changes nothing', (method, { needs }) => {
    expect(verdictOn(method)).toBe(needs === 'observe' ? 'bad-params' : 'read-only');
  });

  test.each(Object.entries(methods).filter(([, { needs }]) => needs !== 'observe'))(
    'is told that it may not ask %s in the words of what it wanted',
    (method) => {
      const [step] = observing().receive(request('a', method, null), 1);
      const told = JSON.stringify(step?.do === 'send' && step.header);
      expect(told).toMatch(/is read-only: it cannot [a-z ]+\./);
      expect(told).not.toContain(method);
      expect(told).not.toContain('do that');
    },
  );

  test('may look at runs and files, and nothing else', () => {
    const open = Object.entries(methods).filter(([, { needs }]) => needs === 'observe');
    expect(open.map(([method]) => method).sort()).toEqual([
      ...[
        'checkpoint.list',
        'file.read',
        'recipe.list',
        'run.follow',
        'run.list',
        'run.unfollow',
        'worker.info',
      ],
    ]);
  });

  test('is told that its commands are not run, and stays', () => {
    const commands = encodeFrame(
      'commands',
      { session: 'a-tensor-session', number: 1, got: 0 },
      new Uint8Array(16),
    );
    expect(observing().receive(commands, 1)).toMatchObject([
      { do: 'send', kind: 'results', header: { number: 0, ended: { code: 'read-only' } } },
    ]);
    expect(session.receive(request('b'), 2)).toMatchObject([{ do: 'perform' }]);
  });
});
