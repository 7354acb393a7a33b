"""Checks the vectors with the Python client: `check_vectors.py FOLDER`. Prints how many it checked.

What a frame, batch or record holds is compared with what its bytes decode to, and its bytes with
what encoding gives, byte for byte. What any reader refuses must be refused.
"""

from __future__ import annotations

import json
import math
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import msgpack
from teletrain_wire import KINDS, Frame, decode_batch, decode_frame, encode_batch, encode_frame


def from_notation(value: Any) -> Any:
    """JSON has neither bytes nor NaN; numbers are written as PROTOCOL.md says that they are packed."""
    if isinstance(value, dict):
        if '$bytes' in value:
            return bytes.fromhex(value['$bytes'])
        if '$number' in value:
            return float(value['$number'])
        return {key: from_notation(part) for key, part in value.items()}
    if isinstance(value, list):
        return [from_notation(part) for part in value]
    if type(value) is int and not -(2**31) <= value < 2**32:
        return float(value)
    return value


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def check_frame(vector: dict[str, Any]) -> None:
    message, payload = bytes.fromhex(vector['bytes']), bytes.fromhex(vector['payload'])
    frame = Frame(vector['kind'], from_notation(vector['header']), payload)
    decoded = decode_frame(message)
    assert decoded.kind == frame.kind and decoded.payload == payload, vector['name']
    assert same(decoded.header, frame.header), vector['name']
    assert encode_frame(frame) == message, vector['name']


def check_accepted(vector: dict[str, Any]) -> None:
    decoded = decode_frame(bytes.fromhex(vector['bytes']))
    assert (decoded.kind, decoded.header) == (vector['kind'], vector['header']), vector['name']


def check_batch(vector: dict[str, Any]) -> None:
    entries, raw = from_notation(vector['list']), bytes.fromhex(vector['raw'])
    batch = bytes.fromhex(vector['bytes'])
    decoded, decoded_raw = decode_batch(batch)
    assert same(decoded, entries) and decoded_raw == raw, vector['name']
    assert encode_batch(entries, raw) == batch, vector['name']


def check_record(vector: dict[str, Any]) -> None:
    record = bytes.fromhex(vector['bytes'])
    length, checksum = struct.unpack_from('<II', record)
    body = record[8:]
    assert length == len(body) and checksum == zlib.crc32(body), vector['name']
    event = from_notation(vector['event'])
    assert same(msgpack.unpackb(body), event) and msgpack.packb(event) == body, vector['name']


def check_refused(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector['bytes'])
    try:
        decode_frame(data) if vector['of'] == 'frame' else decode_batch(data)
    except ValueError:
        pass
    else:
        raise AssertionError(f'not refused: {vector["name"]}')


def main(folder: Path) -> None:
    def read(name: str) -> list[dict[str, Any]]:
        vectors: list[dict[str, Any]] = json.loads((folder / f'{name}.json').read_text())
        return vectors

    frames, batches, records = read('frames'), read('batches'), read('records')
    assert {vector['kind'] for vector in frames} == set(KINDS)
    for vector in frames:
        check_frame(vector)
    accepted = read('accepted')
    for vector in accepted:
        check_accepted(vector)
    for vector in batches:
        check_batch(vector)
    for vector in records:
        check_record(vector)
    # All else is the worker's to refuse; a client has nobody to say it to.
    refused = [vector for vector in read('malformed') if vector['of'] in ('frame', 'batch')]
    for vector in refused:
        check_refused(vector)
    print(len(frames) + len(accepted) + len(batches) + len(records) + len(refused))


main(Path(sys.argv[1]))
