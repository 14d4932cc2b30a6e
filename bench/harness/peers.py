"""The servers that Beck is compared with. They have no accounts, store nothing, and relay each text to its room."""

import os
import shutil

from processes import SERVER_CORE, free_port


class Peer:
    def __init__(self, key, label, script, protocol, needs):
        self.key, self.label, self.script, self.protocol, self.needs = key, label, script, protocol, needs

    def missing(self, bench):
        """Why this peer cannot run here; None if it can."""
        if not shutil.which("node"):
            return "Node.js is missing"
        for path in self.needs:
            if not os.path.exists(os.path.join(bench, "node_modules", path)):
                return f"{path} is not installed"
        return None

    def start(self, processes, bench, redis=None):
        """Gives (process, address)."""
        port = free_port()
        command = ["node", os.path.join(bench, "peers", self.script), port] + ([redis.url] if redis else [])
        process = processes.start(self.key, command, SERVER_CORE, {"NODE_ENV": "production"}, bench)
        process.wait_until(lambda: process.has_printed("ready"), "ready", 30)
        return process, f"127.0.0.1:{port}"


def _node_binary():
    import subprocess

    try:
        words = subprocess.run(
            ["node", "-p", "`uws_${process.platform}_${process.arch}_${process.versions.modules}.node`"],
            capture_output=True,
            text=True,
            check=True,
        )
        return words.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "uws"


def all_peers():
    uws = os.path.join("@trufflesuite", "uws-js-unofficial", "dist", _node_binary())
    return {
        "uws": Peer("uws", "uWebSockets.js", "uws.mjs", "raw", [uws]),
        "ws": Peer("ws", "ws", "ws.mjs", "raw", ["ws"]),
        "socket.io": Peer("socket.io", "Socket.IO", "socket_io.mjs", "socket-io", ["socket.io"]),
        "socket.io-redis": Peer(
            "socket.io-redis",
            "Socket.IO, Redis streams",
            "socket_io.mjs",
            "socket-io",
            ["socket.io", "redis", os.path.join("@socket.io", "redis-streams-adapter")],
        ),
    }
