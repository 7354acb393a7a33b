"""A teletrain client in Python, written from PROTOCOL.md: a reference for other languages.

One connection that comes back by itself. What a cut must not break is kept until the worker
answered for it: requests by their ids, runs by their last event. Tensors are in a file of their own.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import msgpack
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

KINDS = ('hello', 'welcome', 'request', 'response', 'error', 'event', 'status', 'cancel',
         'ping', 'pong', 'bye', 'drawing', 'commands', 'results', 'control')
PREFIX = struct.Struct('<4B3I')
FRAME_BYTES = 4194304
FINAL_CLOSE_CODES = {1009, 4400, 4401, 4426}  # those with "no" under "try again?"
Result = TypeVar('Result')
Event = dict[str, Any]


class TeletrainError(Exception):
    """What went wrong: a stable code, a sentence, and a hint what to do."""

    def __init__(self, code: str, message: str, hint: str = '', **_: Any) -> None:
        super().__init__(f'{code}: {message} {hint}'.strip())
        self.code = code


class Frame(NamedTuple):
    kind: str  # 'unknown' where it is one of a newer version
    header: dict[str, Any]
    payload: bytes = b''


def unpack(packed: bytes) -> Any:
    """One msgpack value of the wire. Raises ValueError for what does not occur on it."""

    def plain(values: list[Any]) -> list[Any]:
        if any(isinstance(value, (msgpack.ExtType, msgpack.Timestamp)) for value in values):
            raise ValueError('an extension type')
        return values

    def as_map(pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
        keys = {key for key, _ in pairs if isinstance(key, str)}
        if len(keys) < len(pairs):
            raise ValueError('a key comes twice or is no text')
        plain([value for _, value in pairs])
        return dict(pairs)

    return msgpack.unpackb(packed, object_pairs_hook=as_map, list_hook=plain, strict_map_key=False)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 16)


def encode_frame(frame: Frame) -> bytes:
    header = msgpack.packb(frame.header)
    number = KINDS.index(frame.kind) + 1
    prefix = PREFIX.pack(0x54, 1, number, 0, len(header), len(frame.payload), 0)
    return prefix + padded(header) + frame.payload


def decode_frame(message: bytes) -> Frame:
    """The frame of one WebSocket message. Raises `malformed-frame`."""
    if not PREFIX.size <= len(message) <= FRAME_BYTES:
        raise malformed_frame(f'{len(message)} bytes are no frame')
    magic, layout, number, zero, header_length, payload_length, _ = PREFIX.unpack_from(message)
    if (magic, layout) != (0x54, 1) or number == 0:
        raise malformed_frame('it does not begin as one')
    start = PREFIX.size + header_length + -header_length % 16
    if start + payload_length != len(message):
        raise malformed_frame('its lengths do not fit')
    if number > len(KINDS):
        return Frame('unknown', {})
    try:
        header = unpack(message[PREFIX.size : PREFIX.size + header_length])
    except ValueError as error:
        raise malformed_frame(f'its header is not msgpack, {error}') from error
    return Frame(KINDS[number - 1], header, message[start:])


def malformed_frame(what: str) -> TeletrainError:
    return TeletrainError('malformed-frame', f'A message cannot be read: {what}.')


class Session(Protocol):
    """What is told of the connection and of `results` frames; a tensor session is one."""

    async def connected(self) -> None: ...
    async def take(self, frame: Frame) -> None: ...
    def disconnected(self) -> None: ...


class Client:
    """Speaks to one worker: `async with Client(url, client_id, {'token': token}) as client`."""

    def __init__(self, url: str, client_id: str, auth: dict[str, str]) -> None:
        self.url, self.client_id, self.auth = url, client_id, auth
        self.welcome: dict[str, Any] = {}
        self.status: dict[str, dict[str, Any]] = {}  # the last live status of each run
        self.sessions: dict[str, Session] = {}
        self.connections = 0
        self._prefix, self._count = secrets.token_hex(8), 0
        self._in_flight = asyncio.Semaphore(64)  # the limit `requestsInFlight`
        self._socket: ClientConnection | None = None
        self._ready = asyncio.Event()
        self._said: TeletrainError | None = None  # the last error without an id
        self._waiting: dict[str, tuple[Frame, asyncio.Future[Frame]]] = {}
        self._follows: dict[str, asyncio.Queue[Event | None]] = {}

    async def __aenter__(self) -> Client:
        self._connection = asyncio.create_task(self._stay_connected())
        await self.unless_given_up(self._ready.wait())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._connection.cancel()
        await asyncio.gather(self._connection, return_exceptions=True)

    async def request(self, method: str, payload: bytes = b'', **params: Any) -> Frame:
        """The response. After a cut the request is sent again with its id, so it is done once."""
        self._count += 1
        request_id = f'{self._prefix}-{self._count}'
        frame = Frame('request', {'id': request_id, 'method': method, 'params': params}, payload)
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        async with self._in_flight:
            self._waiting[request_id] = frame, answer
            await self.send(frame)
            return await self.unless_given_up(answer)

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        result: dict[str, Any] = (await self.request(method, **params)).header['result']
        return result

    async def quick_settings(self, recipe: str) -> dict[str, Any]:
        """Every setting of a recipe, as a quick run has it."""
        recipes = (await self.call('recipe.list'))['recipes']
        [known] = [known for known in recipes if known['name'] == recipe]
        defaults = {name: setting['default'] for name, setting in known['settings'].items()}
        return {**defaults, **known['quick']}

    async def start_run(self, run: str, recipe: str, settings: dict[str, Any]) -> None:
        await self.call('run.start', record={
            'format': 1, 'id': run, 'recipe': recipe, 'settings': settings, 'quick': True,
            'createdAt': int(time.time() * 1000), 'version': 'python-1'})

    async def follow(self, run: str, events: list[Event]) -> AsyncIterator[Event]:
        """The run's events that come after `events`, to which each is added: one stream, each
        event once, however often the connection breaks."""
        queue = self._follows[run] = asyncio.Queue()
        queue.put_nowait(None)
        try:
            while True:
                event = await self.unless_given_up(queue.get())
                last = events[-1]['seq'] if events else 0
                if event is None:  # a connection is new
                    summary = (await self.call('run.follow', run=run, fromSeq=last + 1))['summary']
                    if last and life_at(summary['lives'], last) != life_at(lives_of(events), last):
                        raise TeletrainError('run-diverged', f'The worker has another run {run}.')
                elif event['seq'] == last + 1 or not last:
                    events.append(event)
                    yield event
                elif event['seq'] > last:
                    raise TeletrainError('events-missing', f'Event {last + 1} did not come.')
        finally:
            self._follows.pop(run)

    async def download(self, run: str, manifest: dict[str, Any]) -> dict[str, bytes]:
        """The files of a checkpoint, each compared with the manifest's SHA-256."""
        files: dict[str, bytes] = {}
        for file in manifest['files']:
            data = bytearray()
            while len(data) < file['bytes']:
                length = min(file['bytes'] - len(data), self.welcome['limits']['chunkBytes'])
                chunk = await self.request('file.read', run=run, checkpoint=manifest['id'],
                                           file=file['name'], offset=len(data), length=length)
                if not chunk.payload:
                    raise TeletrainError('checkpoint-corrupt', f'{file["name"]} is too short.')
                data += chunk.payload
            if hashlib.sha256(data).hexdigest() != file['sha256']:
                raise TeletrainError('checkpoint-corrupt', f'{file["name"]} has another SHA-256.')
            files[file['name']] = bytes(data)
        return files

    async def send(self, frame: Frame) -> None:
        """Sends if there is a connection; who waits for an answer is served by the next one."""
        try:
            if self._socket:
                await self._socket.send(encode_frame(frame))
        except ConnectionClosed:
            pass

    async def unless_given_up(self, awaited: Awaitable[Result]) -> Result:
        """What is awaited, or why the worker can no longer be spoken to."""
        task = asyncio.ensure_future(awaited)
        await asyncio.wait({task, self._connection}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            self._connection.result()
        return task.result()

    async def _stay_connected(self) -> None:
        delay = 0.1
        while True:
            try:
                async with connect(self.url, subprotocols=[Subprotocol('teletrain')], compression=None,
                                   max_size=FRAME_BYTES, ping_interval=None) as socket:
                    await self._converse(socket)
            except InvalidStatus as error:
                if error.response.status_code != 503:
                    raise
            except (OSError, EOFError, ConnectionClosed) as error:  # a time-out is an OSError
                code = error.rcvd.code if isinstance(error, ConnectionClosed) and error.rcvd else 1006
                if code in FINAL_CLOSE_CODES:
                    raise self._said or error
            delay = 0.1 if self._socket else min(2 * delay, 10)
            self._socket = None
            for session in self.sessions.values():
                session.disconnected()
            await asyncio.sleep(delay)

    async def _converse(self, socket: ClientConnection) -> None:
        client = {'id': self.client_id, 'name': 'python', 'version': '1'}
        hello = {'protocol': {'min': 1, 'max': 1}, 'client': client, 'auth': self.auth}
        await socket.send(encode_frame(Frame('hello', hello)))
        silence, tasks = 40.0, []
        try:
            while True:
                async with asyncio.timeout(silence):
                    frame = decode_frame(await socket.recv(decode=False))
                await self._take(frame)
                if frame.kind == 'welcome':
                    self.welcome, limits = frame.header, frame.header['limits']
                    if 'token' in self.welcome:  # in answer to a code, which is used up
                        self.auth = {'token': self.welcome['token']}
                    self._socket, silence = socket, limits['silenceMs'] / 1000
                    self.connections += 1
                    self._ready.set()
                    beat = self._beat(limits['heartbeatMs'] / 2000)
                    tasks = [asyncio.create_task(part) for part in (beat, self._take_up())]
        finally:
            for task in tasks:
                task.cancel()

    async def _beat(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self.send(Frame('ping', {'time': time.time() * 1000}))

    async def _take_up(self) -> None:
        """On a new connection: what was not answered, what was followed, what sessions have."""
        for frame, _ in list(self._waiting.values()):
            await self.send(frame)
        for queue in self._follows.values():
            queue.put_nowait(None)
        for session in list(self.sessions.values()):
            await session.connected()

    async def _take(self, frame: Frame) -> None:
        kind, header = frame.kind, frame.header
        if kind == 'ping':
            await self.send(Frame('pong', header))
        elif kind == 'event' and header['event']['run'] in self._follows:
            self._follows[header['event']['run']].put_nowait(header['event'])
        elif kind == 'status':
            self.status[header['status']['run']] = header['status']
        elif kind == 'results' and header['session'] in self.sessions:
            await self.sessions[header['session']].take(frame)
        elif kind in ('response', 'error'):
            error = TeletrainError(**header['error']) if kind == 'error' else None
            _, answer = self._waiting.pop(header.get('id', ''), (None, None))
            if answer is None or answer.done():
                self._said = error or self._said
            elif error:
                answer.set_exception(error)
            else:
                answer.set_result(frame)


def lives_of(events: Sequence[Event]) -> list[dict[str, Any]]:
    return [{'id': event['life'], 'firstSeq': event['seq']} for event in events if 'life' in event]


def life_at(lives: Sequence[dict[str, Any]], seq: int) -> str | None:
    """The life that event `seq` is of; nothing where the list begins after it."""
    return next((life['id'] for life in reversed(lives) if life['firstSeq'] <= seq), None)
