"""Starts processes on a core of their own, and ends them by their ids, however the run ends."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

SERVER_CORE = 0
LOAD_CORE = 1


class Failed(Exception):
    """Something of a run failed; the text says what, and what to do."""


class Processes:
    """What a run has started."""

    def __init__(self, logs):
        self.logs = logs
        self.started = []

    def start(self, name, command, core, environment=None, folder=None):
        log = os.path.join(self.logs, f"{name}-{len(self.started)}.log")
        # A session of its own: Ctrl-C reaches this program alone, which then ends the others in order. If it is killed,
        # the kernel ends them.
        command = ["taskset", "-c", str(core), *map(str, command)]
        if shutil.which("setpriv"):
            command = ["setpriv", "--pdeathsig", "KILL", *command]
        with open(log, "wb") as out:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=clean_environment(environment),
                cwd=folder,
                start_new_session=True,
            )
        process = Process(name, child, log)
        self.started.append(process)
        return process

    def stop(self, processes):
        for process in processes:
            process.stop()
            self.started.remove(process)

    def stop_all(self):
        for process in reversed(self.started):
            process.stop()
        self.started = []


class Process:
    def __init__(self, name, child, log):
        self.name, self.child, self.log = name, child, log

    @property
    def pid(self):
        return self.child.pid

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(15)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def resident_mb(self):
        try:
            with open(f"/proc/{self.pid}/status", encoding="utf-8") as file:
                return next(int(line.split()[1]) / 1000 for line in file if line.startswith("VmRSS:"))
        except (OSError, StopIteration) as error:
            raise Failed(f"{self.name} has ended:\n{self.last_words()}") from error

    @contextlib.contextmanager
    def peak_mb(self):
        """Gives a function that tells the highest resident set in the block so far."""
        peak, done = [self.resident_mb()], threading.Event()

        def watch():
            while not done.wait(0.01) and self.child.poll() is None:
                peak[0] = max(peak[0], self.resident_mb())

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield lambda: peak[0]
        finally:
            done.set()
            watcher.join()

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return "".join(file.readlines()[-10:]).strip() or "(it printed nothing)"

    def wait_until(self, is_ready, what, seconds=180):
        end = time.monotonic() + seconds
        while not is_ready():
            if self.child.poll() is not None:
                raise Failed(f"{self.name} ended with {self.child.returncode}:\n{self.last_words()}")
            if time.monotonic() > end:
                raise Failed(f"{self.name} was not {what} after {seconds} s:\n{self.last_words()}")
            time.sleep(0.05)

    def has_printed(self, word):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return word in file.read()


def run(command, environment=None, folder=None, seconds=600):
    """Runs a command to its end; gives what it printed."""
    try:
        done = subprocess.run(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=clean_environment(environment),
            cwd=folder,
            timeout=seconds,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-10:]
        raise Failed(f"{os.path.basename(str(command[0]))} ended with {done.returncode}: " + "\n".join(words))
    return done.stdout


def clean_environment(more=None):
    """This program's environment without a person's own settings of Beck."""
    own = ("IP", "PORT", "PUBLIC_URL", "ALLOWED_ORIGINS", "TRUSTED_PROXIES", "QR", "LOG", "LOG_FORMAT", "DATA_DIR")
    kept = {name: value for name, value in os.environ.items() if name not in own and not name.startswith("REDIS_")}
    return kept | (more or {})


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(url):
    """Whether GET of this address is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def end_on_signals():
    """SIGTERM and SIGHUP end this program as Ctrl-C does: what it started is ended on the way out."""

    def end(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, end)
