"""What a client in another language does, from pairing to tensors, on a line that a test cuts.

    whole_session.py URL CODE CLIENT_ID

Says on standard output what it is about to do, a JSON object a line, and waits for a line on
standard input before it does it: so the test can cut the line at that very place.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import struct
import sys
import time
from typing import Any

from teletrain_client import Client, TeletrainError
from teletrain_tensors import TensorSession

RUN = 'from-python'


async def say(step: str, **fields: Any) -> None:
    print(json.dumps({'step': step, **fields}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)


async def be_refused(url: str) -> None:
    code = 'nothing'
    try:
        async with Client(url, 'a-stranger', {'token': 43 * 'x'}):
            pass
    except TeletrainError as error:
        code = error.code
    await say('refused', code=code)


async def quick_record(client: Client, recipe: str, changed: dict[str, Any]) -> dict[str, Any]:
    """The record of a quick run; what is not changed is as the recipe has it."""
    recipes = (await client.call('recipe.list'))['recipes']
    [known] = [one for one in recipes if one['name'] == recipe]
    defaults = {name: setting['default'] for name, setting in known['settings'].items()}
    return {'format': 1, 'id': RUN, 'recipe': recipe, 'quick': True, 'version': 'python-1',
            'settings': {**defaults, **known['quick'], **changed},
            'createdAt': int(time.time() * 1000)}


async def train(client: Client) -> None:
    fewer = {'epochs': 1, 'trainExamples': 1500, 'validationExamples': 100, 'testExamples': 100,
             'sampleCount': 4}
    record = await quick_record(client, 'digits-pixel-cnn-report', fewer)
    await say('start')
    await client.call('run.start', record=record)
    await say('follow')
    events: list[dict[str, Any]] = []
    async for event in client.follow(RUN):
        events.append(event)
        if event['type'] == 'state' and event['state'] in ('done', 'stopped', 'failed', 'interrupted'):
            break
    await say('followed', connections=client.connections, state=events[-1].get('state'),
              events=[[event['seq'], event['type'], event.get('value')] for event in events])


async def bring_home(client: Client) -> None:
    checkpoints = (await client.call('checkpoint.list', run=RUN))['checkpoints']
    await say('download')
    files = await client.download(RUN, checkpoints[-1])
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    await say('downloaded', checkpoint=checkpoints[-1]['id'], files=hashes,
              connections=client.connections)


async def compute(client: Client) -> None:
    session = TensorSession(client)
    rows, columns = 600, 500
    values = [float((7 * index) % 11 - 5) for index in range(rows * columns)]
    await say('tensors')
    matrix = await session.upload(struct.pack(f'<{len(values)}f', *values), 'float32', [rows, columns])
    [doubled] = session.run('Add', [matrix, matrix])
    [product] = session.run('BatchMatMul', [matrix, matrix], [False, True])
    [greatest] = session.run('Max', [matrix], [[1], False])
    session.dispose([matrix])

    read = await session.read(doubled)
    assert (read.dtype, read.shape) == ('float32', [rows, columns]), read[:2]
    assert list(struct.unpack(f'<{len(values)}f', read.data)) == [2 * value for value in values]

    read = await session.read(product)
    table = [values[row * columns : (row + 1) * columns] for row in range(rows)]
    got = struct.unpack(f'<{rows * rows}f', read.data)
    for row, other in ((0, 0), (3, 599), (599, 17)):
        expected = sum(a * b for a, b in zip(table[row], table[other]))
        assert got[row * rows + other] == expected, (row, other)  # whole numbers: exact in float32

    read = await session.read(greatest)
    assert list(struct.unpack(f'<{rows}f', read.data)) == [max(row) for row in table]
    try:
        await session.read(matrix)
        refused = 'nothing'
    except TeletrainError as error:
        refused = error.code
    await session.close()
    await say('computed', connections=client.connections, refused=refused)


async def main(url: str, code: str, client_id: str) -> None:
    await be_refused(url)
    async with Client(url, client_id, {'code': code}) as client:
        await train(client)
        await bring_home(client)
        await compute(client)


asyncio.run(main(*sys.argv[1:]))
