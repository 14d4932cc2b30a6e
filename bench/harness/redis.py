"""A Redis of one's own: as Beck wants it, on a free port, with its append-only file flushed at every write."""

import os
import shutil
import socket

from processes import LOAD_CORE, Failed, free_port


class Redis:
    def __init__(self, processes, program, folder):
        os.makedirs(folder)
        self.port = free_port()
        settings = {
            "bind": "127.0.0.1",
            "port": self.port,
            "dir": folder,
            "save": "",
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
        }
        command = [program] + [word for name, value in settings.items() for word in (f"--{name}", value)]
        # With the load generator: the core of the servers is theirs alone.
        self.process = processes.start("redis", command, LOAD_CORE)
        self.process.wait_until(self._accepts, "ready", 30)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}"

    def _accepts(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False

    def send(self, commands):
        """Sends commands in one go, and reads as many answers; each must be a number or OK."""
        commands = list(commands)
        if not commands:
            return
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            request = bytearray()
            for words in commands:
                request += b"*%d\r\n" % len(words)
                for word in map(str.encode, map(str, words)):
                    request += b"$%d\r\n%s\r\n" % (len(word), word)
            connection.sendall(request)
            with connection.makefile("rb") as answers:
                for words in commands:
                    answer = answers.readline()
                    if not answer.startswith((b":", b"+")):
                        raise Failed(f"Redis answered {answer!r} to {words[0]}")


def find_program(tools):
    """redis-server, from the PATH or from where script/setup puts it; None if there is none."""
    for name in ("redis-server", "valkey-server"):
        for found in (shutil.which(name), os.path.join(tools, "bin", name)):
            if found and os.access(found, os.X_OK):
                return found
    return None
