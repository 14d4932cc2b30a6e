"""What is measured. Each workload gives, for one server and one round, rows of the table by their titles."""

import json
import os
import re
import shutil
import time

import http_load
from beck import Shape
from peers import all_peers
from processes import LOAD_CORE, Failed, run
from redis import Redis


class Bench:
    """What all workloads need: where things are, which builds of Beck are measured, and how long."""

    def __init__(self, processes, folders, becks, quick):
        self.processes, self.folders, self.becks, self.quick = processes, folders, becks, quick
        self.peers = all_peers()

    def export(self, shape):
        return shape.export(self.folders.work)

    def redis(self):
        if not self.folders.redis:
            raise Failed("redis-server is missing: run script/setup stores")
        number = len(self.processes.started)
        return Redis(self.processes, self.folders.redis, os.path.join(self.folders.work, f"redis-{os.urandom(4).hex()}-{number}"))

    def load(self, *words):
        command = ["taskset", "-c", LOAD_CORE, self.folders.load, *words]
        return json.loads(run(command, folder=self.folders.work))

    def beck_options(self, shape):
        export = self.export(shape)
        return ["--protocol", "beck", "--room-ids", export + ".rooms", "--tokens", export + ".tokens"]


class Fanout:
    """Open loop over rooms x members clients."""

    def __init__(self, name, label, rooms, members, rate, *, quick, more_rooms=0, senders=1, seconds=8.0, servers=1):
        self.name, self.label, self.full = name, label, (rooms, members, rate, seconds)
        self.reduced = (*quick, 2.0)
        self.more_rooms, self.senders, self.servers = more_rooms, senders, servers

    def competitors(self, bench):
        peers = ["socket.io-redis"] if self.servers > 1 else ["uws", "ws", "socket.io"]
        return bench.becks + [bench.peers[key] for key in peers]

    def title(self, bench):
        rooms, members, rate, _ = self.size(bench)
        return self.label.format(rooms=f"{rooms:,}", members=f"{members:,}", all=f"{rooms * members:,}", rate=f"{rate:,}")

    def size(self, bench):
        return self.reduced if bench.quick else self.full

    def shape(self, bench):
        rooms, members, _, _ = self.size(bench)
        return Shape(rooms * members, rooms, 1 + self.more_rooms)

    def run(self, bench, competitor):
        rooms, members, rate, seconds = self.size(bench)
        redis = bench.redis() if self.servers > 1 else None
        if competitor in bench.becks:
            export = bench.export(self.shape(bench))
            options = bench.beck_options(self.shape(bench))
            if redis:
                servers = competitor.start_on_redis(bench.processes, export, bench.folders.work, redis, self.servers)
            else:
                servers = [competitor.start(bench.processes, export, bench.folders.work)]
        else:
            options = ["--protocol", competitor.protocol]
            servers = [competitor.start(bench.processes, bench.folders.bench, redis) for _ in range(self.servers)]
        options += ["--to", ",".join(address for _, address in servers)]
        options += ["--server-pid", ",".join(str(process.pid) for process, _ in servers)]
        options += ["--store-pid", redis.process.pid] if redis else []
        options += ["--rooms", rooms, "--members", members, "--more-rooms", self.more_rooms]
        options += ["--senders", min(self.senders, members), "--rate", rate, "--seconds", seconds]
        options += ["--settle", 1 if bench.quick else 3, "--warm", 1 if bench.quick else 3]
        try:
            return {self.title(bench): self.row(bench.load("fanout", *options), rate)}
        finally:
            bench.processes.stop([process for process, _ in servers] + ([redis.process] if redis else []))

    def row(self, result, rate):
        delays = result["delay_ms_across_servers" if self.servers > 1 else "delay_ms"] or {}
        row = {
            "cpu": result["server_cpu_us_per_delivery" if rate else "server_cpu_us_per_second_and_client"],
            "p50": delays.get("p50"),
            "p99": delays.get("p99"),
            "memory": result["resident_kb_per_client"],
            "ready": result["ready_seconds"],
            "rate": result["deliveries_per_second"] if rate else None,
            "cores": result["server_cores"],
            "note": _note(result),
            "result": result,
        }
        if self.servers > 1 and result["store_cpu_us_per_post"] is not None:
            row["note"] = f"Redis {result['store_cpu_us_per_post']:.0f} µs a post" + (row["note"] and "; " + row["note"])
        return row


class Append:
    """Durable posts per second: every client posts into its own room, one post on its way each."""

    name = "append"

    def __init__(self, on_redis):
        self.on_redis = on_redis

    def competitors(self, bench):
        return bench.becks + ([BareRedis()] if self.on_redis else [])

    def title(self, bench):
        return f"append, {'Redis' if self.on_redis else 'embedded'}, {self.clients(bench):,} accounts"

    def clients(self, bench):
        return 100 if bench.quick else 2_000

    def run(self, bench, competitor):
        count = self.clients(bench)
        redis = bench.redis() if self.on_redis else None
        started = [redis.process] if redis else []
        try:
            if isinstance(competitor, BareRedis):
                return {self.title(bench): competitor.run(bench, redis)}
            shape = Shape(count, count, 1)
            export = bench.export(shape)
            if redis:
                [(process, address)] = competitor.start_on_redis(bench.processes, export, bench.folders.work, redis, 1)
            else:
                process, address = competitor.start(bench.processes, export, bench.folders.work)
            started.insert(0, process)
            options = bench.beck_options(shape) + ["--to", address, "--server-pid", process.pid]
            options += ["--store-pid", redis.process.pid] if redis else []
            options += ["--rooms", count, "--members", 1, "--no-subscriptions"]
            options += ["--warm", 1 if bench.quick else 3, "--seconds", 2 if bench.quick else 8]
            result = bench.load("append", *options)
        finally:
            bench.processes.stop(started)
        delays = result["delay_ms"] or {}
        note = _note(result)
        if result["stored_per_second"] > 0.95 * result["limit_per_second"]:
            note += "the clients' own limit"
        row = {
            "cpu": result["server_cpu_us_per_post"],
            "p50": delays.get("p50"),
            "p99": delays.get("p99"),
            "rate": result["stored_per_second"],
            "cores": result["server_cores"],
            "note": note,
            "result": result,
        }
        return {self.title(bench): row}


class BareRedis:
    """What the same Redis takes without Beck: XADD of as many bytes by redis-benchmark, one command on each connection."""

    key, label = "xadd", "XADD, 32 connections"

    def missing(self, _):
        return None if shutil.which("redis-benchmark") else "redis-benchmark is missing"

    def run(self, bench, redis):
        number = 5_000 if bench.quick else 200_000
        command = ["taskset", "-c", "0", "redis-benchmark", "-p", redis.port, "-c", 32, "-n", number, "-q", "--csv"]
        text = run([*command, "XADD", "log", "*", "body", "x" * 256], folder=bench.folders.work)
        found = re.findall(r'"([0-9.]+)"', text)
        if not found:
            raise Failed(f"redis-benchmark printed {text!r}")
        return {"rate": float(found[0]), "result": {"csv": text}}


class Floor:
    """What the kernel needs for one write per delivery to 1,000 sockets."""

    name = "floor"
    key, label = "floor", "the kernel alone"

    def competitors(self, _):
        return [self]

    def title(self, _):
        return "floor, one write per delivery to 1,000 sockets"

    def missing(self, _):
        return None

    def run(self, bench, _):
        words = ["floor", "--sockets", 1_000, "--seconds", 1 if bench.quick else 4]
        result = json.loads(run([bench.folders.load, *words]))
        row = {"cpu": result["writer_cpu_us_per_delivery"], "rate": result["deliveries_per_second"], "result": result}
        return {self.title(bench): row}


class Pages:
    """Delay of pages over the socket and of the rendered page, in a workspace with many messages."""

    name = "pages"

    def competitors(self, bench):
        return bench.becks

    def title(self, bench):
        return f"pages, {self.messages(bench):,} messages"

    def messages(self, bench):
        return 2_000 if bench.quick else 200_000

    def run(self, bench, competitor):
        export = bench.export(Shape(100, 20, 5, self.messages(bench)))
        process, address = competitor.start(bench.processes, export, bench.folders.work)
        try:
            script = os.path.join(bench.folders.bench, "pages.mjs")
            command = ["taskset", "-c", LOAD_CORE, "node", script, address, export + ".tokens", export + ".rooms"]
            results = json.loads(run([*command, 20 if bench.quick else 200], folder=bench.folders.work))
        finally:
            bench.processes.stop([process])
        return {f"{self.title(bench)}: {what}": result | {"result": result} for what, result in results.items()}


class Memory:
    """A server's resident set after what people and strangers do to it, one thing after the other, each some seconds
    later: what was needed for the moment should be given back."""

    name = "memory"

    def competitors(self, bench):
        return bench.becks

    def title(self, bench):
        return "memory"

    def run(self, bench, competitor):
        few = bench.quick
        accounts, tries, strangers, megabytes, wait = (10, 5, 50, 5, 1) if few else (400, 200, 1_000, 100, 10)
        rooms, of_each = accounts // 10, 25
        sockets = accounts * of_each
        shape = Shape(accounts, rooms, 1, sockets_of_each=of_each)
        process, address = competitor.start(bench.processes, bench.export(shape), bench.folders.work)
        to = ["--to", address, "--server-pid", process.pid, "--rooms", rooms, "--members", sockets // rooms]
        crowd = [*bench.beck_options(shape), *to, "--settle", 0.5, "--warm", 0, "--seconds", 0.5]
        steps = [
            ("idle", lambda: ""),
            (f"after {tries} sign-ins", lambda: http_load.sign_ins(address, tries)),
            (f"after {sockets:,} sockets came and left", lambda: bench.load("fanout", *crowd) and ""),
            (f"after {strangers:,} throttled strangers", lambda: http_load.throttled(address, strangers)),
            (f"after {megabytes} MB of refused bodies", lambda: http_load.refused_bodies(address, megabytes)),
        ]
        rows = {}
        try:
            for name, act in steps:
                with process.peak_mb() as peak:
                    note = act()
                    highest = peak()
                time.sleep(wait)
                resident = process.resident_mb()
                result = {"resident_mb": resident, "peak_mb": highest, "answers": note}
                note = f"peak {highest:,.0f} MB" + (f"; {note}" if note else "")
                rows[f"memory {name}"] = {"resident": resident, "note": "" if name == "idle" else note, "result": result}
        finally:
            bench.processes.stop([process])
        return rows


def _note(result):
    notes = []
    if result.get("lost"):
        notes.append(f"{result['lost']:,} not delivered in time")
    if result["closed"]:
        notes.append(f"{result['closed']:,} sockets closed")
    if result["complaints"]:
        notes.append(f"{result['complaints']:,} errors")
    if (result["closed"] or result["complaints"]) and result["first_fault"]:
        notes.append(result["first_fault"][:100])
    if result["generator_cores"] > 0.9:
        notes.append("the generator's core is full")
    return "; ".join(notes)


def all_workloads():
    """By the names of the command line; one name may stand for several."""
    fanout = [
        Fanout("w1", "w1 {all} idle sockets in 5 rooms", 5_000, 2, 0, quick=(50, 2, 0), more_rooms=4),
        Fanout("w2", "w2 {rooms} × {members} at {rate}/s", 1, 1_000, 20, quick=(1, 50, 20), senders=10),
        Fanout("w2", "w2 {rooms} × {members} at {rate}/s", 1, 1_000, 100, quick=(1, 50, 100), senders=10),
        Fanout("w3", "w3 {rooms} × {members} at {rate}/s", 1_000, 10, 1_000, quick=(20, 5, 100), senders=10),
        Fanout(
            "w7", "w7 two servers, {rooms} × {members} at {rate}/s", 100, 10, 1_000, quick=(10, 4, 100), senders=10, servers=2
        ),
    ]
    return fanout + [Append(False), Append(True), Floor(), Pages(), Memory()]
