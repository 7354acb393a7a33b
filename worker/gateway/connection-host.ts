import { type Clock, systemClock } from '../../shared/clock.ts';
import type { CommandsHeader, Hello } from '../../shared/messages.ts';
import type { ControlKeeper, ControlOutlet } from './control-keeper.ts';
import type { Door, Verdict } from './door.ts';
import type { Observers, WatchingConnection } from './observers.ts';
import type { AskingConnection, Outcome } from './outcome.ts';
import type { RequestDesk } from './request-desk.ts';
import type { CheckedRequest } from './session.ts';
import type { ResultsOutlet } from './tensor-session.ts';
import type { TensorSessions } from './tensor-sessions.ts';

/** What the gateway does for a connection. */
export interface ConnectionHost {
  /** @returns the welcome, or why not and the close code. */
  authenticate(hello: Hello, address: string): Promise<Verdict>;
  /** The client was told that it is welcome. */
  welcomed(connection: ControlOutlet & WatchingConnection): void;
  /** @returns the outcome itself where nothing was waited for. @throws what is answered instead, at once or then. */
  perform(
    client: string,
    request: CheckedRequest,
    connection: AskingConnection,
  ): Outcome | Promise<Outcome>;
  /** A batch of commands for a tensor session. `passedOn`: its bytes are not looked at any more. */
  commands(
    connection: ResultsOutlet,
    header: CommandsHeader,
    payload: Uint8Array,
    passedOn: () => void,
  ): void;
  /** There is room again in the connection. */
  hasRoom(connection: ResultsOutlet): void;
  /** The connection is gone; its client closed it, or it broke. */
  closed(
    connection: ResultsOutlet & ControlOutlet & WatchingConnection,
    saidGoodbye: boolean,
  ): void;
  /** A fault of ours, for the worker's own log. */
  onFault(what: string, error: unknown): void;
}

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
