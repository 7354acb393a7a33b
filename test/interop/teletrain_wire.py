"""Frames and batches as bytes: PROTOCOL.md, "Frames" and "Tensors"."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgpack

KINDS = ('hello', 'welcome', 'request', 'response', 'error', 'event', 'status', 'cancel',
         'ping', 'pong', 'bye', 'drawing', 'commands', 'results', 'control')
PREFIX = struct.Struct('<4B3I')


@dataclass(frozen=True)
class Frame:
    kind: str  # 'unknown' where it is one of a newer version
    header: dict[str, Any]
    payload: bytes = b''


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 16)


def encode_frame(frame: Frame) -> bytes:
    header = msgpack.packb(frame.header)
    number = KINDS.index(frame.kind) + 1
    prefix = PREFIX.pack(0x54, 1, number, 0, len(header), len(frame.payload), 0)
    return prefix + padded(header) + frame.payload


def decode_frame(message: bytes) -> Frame:
    """The frame of one WebSocket message. Raises ValueError for what is none."""
    if len(message) < PREFIX.size:
        raise ValueError('a message is shorter than a prefix')
    magic, layout, number, _, header_length, payload_length, _ = PREFIX.unpack_from(message)
    payload_at = PREFIX.size + header_length + -header_length % 16
    if (magic, layout) != (0x54, 1) or number == 0 or payload_at + payload_length != len(message):
        raise ValueError('a message is no frame')
    if number > len(KINDS):
        return Frame('unknown', {})
    header = msgpack.unpackb(message[PREFIX.size : PREFIX.size + header_length])
    return Frame(KINDS[number - 1], header, message[payload_at:])


def encode_batch(entries: Sequence[Sequence[Any]], raw: bytes = b'') -> bytes:
    """Entries refer to `raw` by offsets that are multiples of 16."""
    listed = msgpack.packb(entries)
    return struct.pack('<I12x', len(listed)) + padded(listed) + raw


def decode_batch(batch: bytes) -> tuple[list[list[Any]], bytes]:
    """Entries and raw bytes. Raises ValueError for what is no batch."""
    length = int.from_bytes(batch[:4], 'little')
    raw_at = 16 + length + -length % 16
    if raw_at > len(batch):
        raise ValueError('a batch is cut off')
    entries = msgpack.unpackb(batch[16 : 16 + length])
    if not isinstance(entries, list):
        raise ValueError('a batch has no list')
    return entries, batch[raw_at:]
