"""A teletrain client in Python, written from PROTOCOL.md: a reference for other languages.

It does one thing at a time. Where a connection breaks, the next one goes on with what was being
done: a request by its id, a run by its last event. Tensors are in a file of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Any

from teletrain_wire import Frame, decode_frame, encode_frame
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.protocol import State
from websockets.typing import Subprotocol

FINAL_CLOSE_CODES = {1002, 1007, 1008, 1009, 4400, 4401, 4426}  # "no" under "try again?"


class TeletrainError(Exception):
    """What went wrong: a stable code, a sentence, and a hint what to do."""

    def __init__(self, code: str, message: str, hint: str = '', **_: Any) -> None:
        super().__init__(f'{code}: {message} {hint}'.strip())
        self.code = code


class Cut(Exception):
    """The connection broke, and the next one may do."""


@contextlib.contextmanager
def breakable() -> Iterator[None]:
    """Raises Cut for what breaks a connection, TeletrainError where there is no use in the next."""
    try:
        yield
    except InvalidStatus as error:
        if error.response.status_code != 503:
            raise
        raise Cut from error
    except (OSError, EOFError, ConnectionClosed) as error:
        close = error.rcvd if isinstance(error, ConnectionClosed) else None
        if close and close.code in FINAL_CLOSE_CODES:
            raise TeletrainError(close.reason, 'The worker ended the connection.') from error
        raise Cut from error


class Client:
    """Speaks to one worker: `async with Client(url, client_id, {'token': token}) as client`."""

    def __init__(self, url: str, client_id: str, auth: dict[str, str]) -> None:
        self.url, self.client_id, self.auth = url, client_id, auth
        self.limits: dict[str, int] = {}
        self.connections = 0
        self._socket: ClientConnection
        self._prefix, self._requests = secrets.token_hex(8), 0
        self._set_aside: deque[Frame] = deque()  # what came while an answer was awaited

    async def __aenter__(self) -> Client:
        await self.connected()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()

    async def connected(self) -> int:
        """The number of the connection, which is made where there is none."""
        delay = 0.1
        while self.connections == 0 or self._socket.state is not State.OPEN:
            try:
                await self._connect()
            except Cut:
                await asyncio.sleep(delay)
                delay = min(2 * delay, 10)
        return self.connections

    async def request(self, method: str, payload: bytes = b'', **params: Any) -> Frame:
        """The response. After a cut the request is sent again with its id, so it is done once."""
        self._requests += 1
        request_id = f'{self._prefix}-{self._requests}'
        header = {'id': request_id, 'method': method, 'params': params}
        while True:
            with contextlib.suppress(Cut):
                await self.connected()
                await self.send(Frame('request', header, payload))
                while (answer := await self._next()).header.get('id') != request_id:
                    self._set_aside.append(answer)
                if answer.kind == 'error':
                    raise TeletrainError(**answer.header['error'])
                return answer

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        result: dict[str, Any] = (await self.request(method, **params)).header['result']
        return result

    async def follow(self, run: str) -> AsyncIterator[dict[str, Any]]:
        """All events of a run, each once, however often the connection breaks."""
        connection, last, life = 0, 0, None
        while True:
            if connection != await self.connected():
                summary = (await self.call('run.follow', run=run, fromSeq=last + 1))['summary']
                connection = self.connections
                begun = [one['id'] for one in summary['lives'] if one['firstSeq'] <= last]
                if begun and begun[-1] != life:
                    raise TeletrainError('run-diverged', f'The worker has another run {run}.')
            try:
                event = (await self.receive()).header.get('event', {'run': None})
            except Cut:
                continue
            if event['run'] == run and event['seq'] > last:
                if last and event['seq'] > last + 1:
                    raise TeletrainError('events-missing', f'Event {last + 1} did not come.')
                last, life = event['seq'], event.get('life', life)
                yield event

    async def download(self, run: str, manifest: dict[str, Any]) -> dict[str, bytes]:
        """The files of a checkpoint, each compared with the manifest's SHA-256."""
        files: dict[str, bytes] = {}
        for file in manifest['files']:
            data = b''
            while len(data) < file['bytes']:
                part = await self.request('file.read', run=run, checkpoint=manifest['id'],
                                          file=file['name'], offset=len(data),
                                          length=self.limits['chunkBytes'])
                data += part.payload
                if not part.payload:
                    break  # the file is shorter
            if hashlib.sha256(data).hexdigest() != file['sha256']:
                raise TeletrainError('checkpoint-corrupt', f'{file["name"]} has another SHA-256.')
            files[file['name']] = data
        return files

    async def send(self, frame: Frame) -> None:
        """Raises Cut."""
        with breakable():
            await self._socket.send(encode_frame(frame))

    async def receive(self) -> Frame:
        """The next frame that answers no request: an event, or results. Raises Cut."""
        return self._set_aside.popleft() if self._set_aside else await self._next()

    async def _next(self) -> Frame:
        """The next frame from the socket, without those that any client may ignore. Raises Cut."""
        while True:
            with breakable():
                frame = decode_frame(await self._socket.recv(decode=False))
            if frame.kind == 'ping':
                await self.send(Frame('pong', frame.header))
            elif frame.kind in ('response', 'error', 'event', 'results'):
                return frame

    async def _connect(self) -> None:
        client = {'id': self.client_id, 'name': 'python', 'version': '1'}
        hello = {'protocol': {'min': 1, 'max': 1}, 'client': client, 'auth': self.auth}
        with breakable():
            # The library's own pings find out that a line is dead.
            socket = await connect(self.url, subprotocols=[Subprotocol('teletrain')],
                                   compression=None, max_size=4194304)
            await socket.send(encode_frame(Frame('hello', hello)))
            while (frame := decode_frame(await socket.recv(decode=False))).kind != 'welcome':
                pass  # an error, which the close's reason repeats
        self._socket, self.limits = socket, frame.header['limits']
        self.connections += 1
        if 'token' in frame.header:  # in answer to a code, which is used up
            self.auth = {'token': frame.header['token']}
