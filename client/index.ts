/** What a program can import from `teletrain`. */
export { type ConnectOptions, connect, type RemoteSession } from './remote/connect.ts';
