"""Tensors on a worker: the part of PROTOCOL.md that a client without tensors leaves out."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from teletrain_client import Client, Cut, TeletrainError
from teletrain_wire import Frame, decode_batch, encode_batch, padded


@dataclass(frozen=True)
class Tensor:
    dtype: str
    shape: list[int]
    data: bytes


class TensorSession:
    """Tensors named by handles. Commands are gathered, and sent when something is uploaded or read;
    one batch at a time, which is sent again where the worker did not get it before a cut."""

    def __init__(self, client: Client) -> None:
        self.client, self.id = client, secrets.token_urlsafe(16)
        self._entries: list[list[Any]] = []  # of the next batch
        self._handle = self._question = self._connection = 0
        self._number = self._sent = self._done = 0  # of batches
        self._got = 0  # results frames that were taken
        self._data = bytearray()  # of the tensor that comes
        self._answers: dict[int, Tensor | TeletrainError] = {}

    async def upload(self, data: bytes, dtype: str, shape: Sequence[int]) -> int:
        """The handle of a new tensor; its bytes travel in parts of `chunkBytes`."""
        [handle] = self._handles(1)
        await self.client.connected()
        chunk = self.client.limits['chunkBytes']
        self._entries.append(['upload', handle, dtype, list(shape), len(data), -1])
        for offset in range(0, max(len(data), 1), chunk):
            part = data[offset : offset + chunk]
            self._entries.append(['part', handle, offset, 0, len(part)])
            await self._exchange(padded(part))
        return handle

    def run(self, kernel: str, inputs: Sequence[int | None], attributes: Sequence[Any] = (),
            outputs: int = 1) -> list[int]:
        """The handles of what a kernel makes of its inputs."""
        handles = self._handles(outputs)
        self._entries.append(['run', kernel, list(inputs), list(attributes), handles])
        return handles

    def dispose(self, handles: Sequence[int]) -> None:
        self._entries.append(['dispose', list(handles)])

    async def read(self, handle: int) -> Tensor:
        self._question += 1
        self._entries.append(['read', self._question, handle])
        await self._exchange(question=self._question)
        answer = self._answers.pop(self._question)
        if isinstance(answer, TeletrainError):
            raise answer
        return answer

    async def close(self) -> None:
        await self.client.call('tensor.close', session=self.id)

    def _handles(self, count: int) -> list[int]:
        self._handle += count
        return list(range(self._handle - count + 1, self._handle + 1))

    async def _exchange(self, raw: bytes = b'', question: int | None = None) -> None:
        """Sends what was gathered, until the worker is done with it and answered the question."""
        self._number += 1
        batch, self._entries = encode_batch(self._entries, raw), []
        while self._done < self._number or (question and question not in self._answers):
            try:
                if self._connection != await self.client.connected():
                    opened = await self.client.call('tensor.open', session=self.id, got=self._got,
                                                    resume=self._connection > 0)
                    self._connection, self._sent = self.client.connections, opened['received']
                if self._sent < self._number:
                    self._sent = self._number
                    await self._say(self._number, batch)
                frame = await self.client.receive()
                if frame.header.get('session') == self.id:
                    await self._take(frame.header, frame.payload)
            except Cut:
                pass  # taken up again on the next connection

    async def _say(self, number: int, batch: bytes = b'') -> None:
        header = {'session': self.id, 'number': number, 'got': self._got}
        await self.client.send(Frame('commands', header, batch))

    async def _take(self, header: dict[str, Any], results: bytes) -> None:
        self._done = header['got']
        if 'ended' in header:
            raise TeletrainError(**header['ended'])
        if header['number'] != self._got + 1:
            return  # none, or had before a cut
        self._got += 1
        entries, raw = decode_batch(results)
        for name, question, *fields in entries:
            if name == 'failed':  # 0 is no question: reading an output of it says the same
                self._answers[question] = TeletrainError(**fields[0])
            elif name == 'data':
                dtype, shape, byte_length, _, at, length = fields
                self._data += raw[at : at + length]
                if len(self._data) == byte_length:
                    self._answers[question] = Tensor(dtype, shape, bytes(self._data))
                    self._data.clear()
        await self._say(0)
