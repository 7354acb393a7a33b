"""Tensors on a worker: the part of PROTOCOL.md that a client without tensors leaves out."""

from __future__ import annotations

import asyncio
import secrets
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgpack
from teletrain_client import Client, Frame, TeletrainError, padded, unpack


class Tensor(NamedTuple):
    dtype: str
    shape: list[int]
    data: bytes


def encode_batch(entries: Sequence[Sequence[Any]], raw: bytes = b'') -> bytes:
    """A batch of commands; entries refer to `raw` by offsets that are multiples of 16."""
    listed = msgpack.packb(entries)
    return struct.pack('<I12x', len(listed)) + padded(listed) + raw


def decode_batch(batch: bytes) -> tuple[list[list[Any]], bytes]:
    """Entries and raw bytes. Raises `malformed-batch`."""
    try:
        (length,) = struct.unpack_from('<I', batch)
        raw_at = 16 + length + -length % 16
        entries = unpack(batch[16 : 16 + length])
    except (struct.error, ValueError) as error:
        raise TeletrainError('malformed-batch', f'A batch cannot be read: {error}.') from error
    if raw_at > len(batch) or not isinstance(entries, list):
        raise TeletrainError('malformed-batch', 'A batch cannot be read: its list is cut off.')
    return entries, batch[raw_at:]


class TensorSession:
    """Tensors named by handles. Commands are gathered and sent when something is uploaded or read,
    so only `read` waits for the worker. Batches are kept until the worker is done with them."""

    def __init__(self, client: Client) -> None:
        self.client, self.id = client, secrets.token_urlsafe(16)
        self.failures: list[TeletrainError] = []  # of commands, told without a question
        self._entries: list[list[Any]] = []  # of the next batch, and its raw bytes
        self._raw = bytearray()
        self._handle = self._question = 0
        self._number = self._sent = self._got = 0
        self._batches: dict[int, bytes] = {}  # that the worker is not done with
        self._reads: dict[int, tuple[bytearray, asyncio.Future[Tensor]]] = {}
        self._is_open, self._sending, self._room = False, asyncio.Lock(), asyncio.Event()

    @classmethod
    async def open(cls, client: Client) -> TensorSession:
        session = cls(client)
        await session._attach(resume=False)
        client.sessions[session.id] = session
        return session

    async def upload(self, data: bytes, dtype: str, shape: Sequence[int]) -> int:
        """The handle of a new tensor; its bytes travel in parts of `chunkBytes`."""
        [handle] = self._new_handles(1)
        self._entries.append(['upload', handle, dtype, list(shape), len(data), -1])
        chunk = self.client.welcome['limits']['chunkBytes']
        for offset in range(0, max(len(data), 1), chunk):
            piece = data[offset : offset + chunk]
            self._entries.append(['part', handle, offset, len(self._raw), len(piece)])
            self._raw += padded(piece)
            await self.flush()
        return handle

    def run(self, kernel: str, inputs: Sequence[int | None], attributes: Sequence[Any] = (),
            outputs: int = 1) -> list[int]:
        """The handles of what a kernel makes of its inputs."""
        handles = self._new_handles(outputs)
        self._entries.append(['run', kernel, list(inputs), list(attributes), handles])
        return handles

    def dispose(self, handles: Sequence[int]) -> None:
        self._entries.append(['dispose', list(handles)])

    async def read(self, handle: int) -> Tensor:
        self._question += 1
        answer: asyncio.Future[Tensor] = asyncio.get_running_loop().create_future()
        self._reads[self._question] = bytearray(), answer
        self._entries.append(['read', self._question, handle])
        await self.flush()
        return await self.client.unless_given_up(answer)

    async def close(self) -> None:
        self.client.sessions.pop(self.id, None)
        await self.client.call('tensor.close', session=self.id)

    async def flush(self) -> None:
        self._number += 1
        self._batches[self._number] = encode_batch(self._entries, bytes(self._raw))
        self._entries, self._raw = [], bytearray()
        await self._send_what_fits()

    async def connected(self) -> None:
        try:
            await self._attach(resume=True)
        except TeletrainError as error:
            self._fail(error)

    def disconnected(self) -> None:
        self._is_open = False

    async def take(self, frame: Frame) -> None:
        header = frame.header
        self._batches = {n: batch for n, batch in self._batches.items() if n > header['got']}
        self._room.set()
        if 'ended' in header:
            self._fail(TeletrainError(**header['ended']))
        elif header['number'] == self._got + 1:
            self._got += 1
            entries, raw = decode_batch(frame.payload)
            for entry in entries:
                self._take_result(entry, raw)
            got = {'session': self.id, 'number': 0, 'got': self._got}
            await self.client.send(Frame('commands', got))

    def _take_result(self, entry: list[Any], raw: bytes) -> None:
        if entry[0] == 'data':
            _, question, dtype, shape, byte_length, offset, at, length = entry
            data, answer = self._reads[question]
            data += raw[at : at + length]
            if offset + length == byte_length:
                del self._reads[question]
                answer.set_result(Tensor(dtype, shape, bytes(data)))
        elif entry[0] == 'failed':
            error = TeletrainError(**entry[2])
            if entry[1] in self._reads:
                self._reads.pop(entry[1])[1].set_exception(error)
            else:
                self.failures.append(error)

    def _fail(self, error: TeletrainError) -> None:
        """The session is no more: nothing that was asked is answered."""
        self._is_open = False
        for _, answer in self._reads.values():
            answer.set_exception(error)
        self._reads = {}

    async def _attach(self, resume: bool) -> None:
        answer = await self.client.call('tensor.open', session=self.id, resume=resume, got=self._got)
        self._sent, self._is_open = answer['received'], True
        self._room.set()
        await self._send_what_fits()

    async def _send_what_fits(self) -> None:
        """Sends batches in their order while the worker is not behind by more than the window."""
        window = self.client.welcome['limits']['tensorWindowBytes']
        async with self._sending:
            while self._is_open and self._sent < self._number:
                number = self._sent + 1
                ahead = sum(len(batch) for n, batch in self._batches.items() if n <= number)
                if ahead > window:
                    self._room.clear()
                    await self.client.unless_given_up(self._room.wait())
                    continue
                self._sent = number
                header = {'session': self.id, 'number': number, 'got': self._got}
                await self.client.send(Frame('commands', header, self._batches[number]))

    def _new_handles(self, count: int) -> list[int]:
        self._handle += count
        return list(range(self._handle - count + 1, self._handle + 1))
