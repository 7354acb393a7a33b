import { type Clock, systemClock } from '../../shared/clock.ts';
import type { ConnectionHost } from './connection.ts';
import type { ControlKeeper } from './control-keeper.ts';
import type { Door } from './door.ts';
import type { Observers } from './observers.ts';
import type { RequestDesk } from './request-desk.ts';
import type { TensorSessions } from './tensor-sessions.ts';

/** Hands what a connection asks for to the parts of the gateway that do it. */
export function connectionHost(parts: {
  readonly door: Door;
  readonly desk: RequestDesk;
  readonly tensors: TensorSessions;
  readonly control: ControlKeeper;
  readonly observers: Observers;
  readonly onFault: ConnectionHost['onFault'];
  readonly clock?: Clock;
}): ConnectionHost {
  const { door, desk, tensors, control, observers, onFault, clock = systemClock } = parts;
  return {
    authenticate: (hello, address) => door.authenticate(hello, address, clock.now()),
    perform: (client, request, connection) => desk.perform(client, request, connection),
    commands: (connection, header, payload, passedOn) =>
      tensors.receive(connection, header, payload, passedOn),
    hasRoom: (connection) => tensors.pump(connection),
    welcomed: (connection) => {
      control.arrived(connection);
      observers.arrived(connection);
    },
    closed: (connection, saidGoodbye) => {
      tensors.detach(connection);
      control.left(connection, saidGoodbye);
      observers.left(connection);
    },
    onFault,
  };
}
