"""Executes a notebook in a real Jupyter kernel, and tells what its cells print while they run.

Usage: run_notebook.py NOTEBOOK FOLDER
Prints one JSON object a line: {"text": ...} as a cell prints it, then {"ended": "ok" | "error"}.
A line "interrupt" on standard input interrupts the kernel, as Colab's stop button does.
"""
import asyncio
import json
import sys
import threading

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


def say(**what):
    print(json.dumps(what), flush=True)


class WatchedClient(NotebookClient):
    def process_message(self, msg, cell, cell_index):
        content = msg["content"]
        if msg["msg_type"] == "stream":
            say(text=content["text"])
        elif msg["msg_type"] == "error":
            say(text="\n".join(content["traceback"]))
        return super().process_message(msg, cell, cell_index)


async def main(notebook, folder):
    client = WatchedClient(
        nbformat.read(notebook, as_version=4),
        timeout=None,
        kernel_name="python3",
        resources={"metadata": {"path": folder}},
    )
    loop = asyncio.get_running_loop()

    def obey():
        for line in sys.stdin:
            if line.strip() == "interrupt":
                asyncio.run_coroutine_threadsafe(client.km.interrupt_kernel(), loop)

    threading.Thread(target=obey, daemon=True).start()
    try:
        await client.async_execute()
        say(ended="ok")
    except CellExecutionError:
        say(ended="error")


asyncio.run(main(*sys.argv[1:]))
