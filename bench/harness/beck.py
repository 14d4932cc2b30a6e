"""Beck's servers: a workspace is made and imported, logins are put beside it, servers are started on copies of it."""

import hashlib
import json
import os
import shutil
import sqlite3
import time

import workspace
from processes import SERVER_CORE, Failed, answers, free_port, run

LOGIN_MS = 90 * 86_400_000


class Shape:
    """How large a workspace is."""

    def __init__(self, accounts, rooms, rooms_per_account, messages=0, sockets_of_each=1):
        self.numbers = (accounts, rooms, rooms_per_account, messages)
        self.sockets_of_each = sockets_of_each

    def export(self, folder):
        """Makes the workspace, once in a run; gives the path of its export, beside which are .tokens and .rooms."""
        numbers = (*self.numbers, self.sockets_of_each)
        path = os.path.join(folder, "workspace-" + "-".join(map(str, numbers)) + ".jsonl")
        if not os.path.exists(path):
            workspace.make(path, *self.numbers)
            with open(path + ".tokens", "w", encoding="utf-8") as file:
                tokens = [_token(account) + "\n" for account in _lines(path + ".accounts")]
                file.writelines(tokens * self.sockets_of_each)
        return path


class Beck:
    """One build of the server."""

    def __init__(self, key, label, program):
        self.key, self.label, self.program = key, label, os.path.abspath(program)

    def prepare(self, export, work):
        """Imports the workspace into a folder of this build, once; each run gets a copy of it."""
        folder = os.path.join(work, f"imported-{self.key}-{os.path.basename(export)}")
        if not os.path.exists(folder):
            run([self.program, "import", export], _settings(folder), work)
            _log_in_embedded(folder, _lines(export + ".accounts"))
        return folder

    def start(self, processes, export, work, core=SERVER_CORE):
        """A server on its own folder. Gives (process, address)."""
        imported = self.prepare(export, work)
        folder = _fresh(work, self.key)
        shutil.copytree(imported, folder)
        return self._serve(processes, folder, {}, core)

    def start_on_redis(self, processes, export, work, redis, count):
        """So many servers on one Redis. Gives a list of (process, address)."""
        settings = {"REDIS_URL": redis.url}
        run([self.program, "import", export], _settings(_fresh(work, self.key), settings), work)
        redis.send(_logins_redis(_lines(export + ".accounts")))
        return [self._serve(processes, _fresh(work, self.key), settings, SERVER_CORE) for _ in range(count)]

    def _serve(self, processes, folder, settings, core):
        os.makedirs(folder, exist_ok=True)
        port = free_port()
        settings = _settings(folder, settings | {"IP": "127.0.0.1", "PORT": str(port), "QR": "no", "LOG": "warn"})
        # From its own folder, so that no .env of another is read.
        process = processes.start(self.key, [self.program, "serve"], core, settings, folder)
        process.wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"), "ready")
        return process, f"127.0.0.1:{port}"


def _settings(folder, more=None):
    return {"DATA_DIR": folder} | (more or {})


def _fresh(work, key):
    number = 0
    while os.path.exists(path := os.path.join(work, f"data-{key}-{number}")):
        number += 1
    return path


def _lines(path):
    with open(path, encoding="utf-8") as file:
        return file.read().split()


def _token(account):
    return hashlib.sha256(f"token of {account}".encode()).hexdigest()


def _logins(accounts):
    """Key, value, version and expiry of each account's login, as src/server/logins.rs keeps it. Builds that know the
    times prolong an old login at its first use: these are new, so that nothing is written while sockets are opened."""
    now = int(time.time() * 1000)
    for account in accounts:
        key = "login:" + hashlib.sha256(_token(account).encode()).hexdigest()
        login = {"account": account, "generation": 0, "written": now, "cookie_sent": now}
        yield key, json.dumps(login), now, now + LOGIN_MS


def _log_in_embedded(folder, accounts):
    path = os.path.join(folder, "log.sqlite")
    try:
        with sqlite3.connect(path) as database:
            database.executemany("insert into secrets(key, value, version, expires) values(?, ?, ?, ?)", _logins(accounts))
        database.close()
    except sqlite3.Error as error:
        raise Failed(f"{path} keeps its logins in another form than bench/harness/beck.py knows: {error}") from error


def _logins_redis(accounts):
    for key, value, version, expires in _logins(accounts):
        name = "{beck}:secret:" + key
        yield "HSET", name, "value", value, "version", version
        yield "PEXPIREAT", name, expires
