"""Measures Beck and its peers, and prints one table. bench/run starts this after it has built what is needed."""

import argparse
import datetime
import json
import os
import platform
import shutil
import statistics
import sys
import types

from beck import Beck
from processes import Failed, Processes, end_on_signals, run
from redis import find_program
from table import COLUMNS, render
from workloads import Bench, all_workloads


def main():
    workloads = all_workloads()
    names = list(dict.fromkeys(workload.name for workload in workloads))
    options = parse(names)
    folders = types.SimpleNamespace(
        bench=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
        work=os.path.join(options.folder, f"run-{os.getpid()}"),
        load=options.load,
        redis=find_program(options.tools),
    )
    if options.compare:
        old, new = options.compare
        becks = [Beck("new", "Beck, new", new), Beck("old", "Beck, old", old)]
    else:
        becks = [Beck("beck", "Beck", options.server)]
    os.makedirs(folders.work)
    raise_file_limit()
    end_on_signals()
    processes = Processes(folders.work)
    bench = Bench(processes, folders, becks, options.quick)
    wanted = [workload for workload in workloads if workload.name in options.workloads]
    began = datetime.datetime.now(datetime.timezone.utc)
    rows, kept = [], False
    try:
        for workload in wanted:
            measure(bench, workload, options, rows)
    except KeyboardInterrupt:
        print("Stopped; this is what was measured until then.", file=sys.stderr)
    finally:
        processes.stop_all()
        failed = any("failed: " in row.get("note", "") for row in rows)
        if failed:
            kept = True
            print(f"What the servers printed is in {folders.work}", file=sys.stderr)
        else:
            shutil.rmtree(folders.work, ignore_errors=True)
    facts = machine(options, began)
    print(render(rows, facts))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"facts": facts, "rows": rows}, file, indent=1, ensure_ascii=False)
    return 1 if kept or not rows else 0


def parse(names):
    parser = argparse.ArgumentParser(prog="bench/run", description="Measures Beck beside its peers, and prints one table.")
    parser.add_argument("workloads", nargs="*", metavar="WORKLOAD", help=f"of {' '.join(names)} (w1 w2 w3 w7)")
    parser.add_argument("--compare", nargs=2, metavar=("OLD", "NEW"), help="two builds of Beck's server, in one run")
    parser.add_argument("--only", metavar="KEYS", help="of the servers, with commas between: beck new old uws ws socket.io …")
    parser.add_argument("--rounds", type=int, default=1, help="how often everything is measured, in turn (the median counts)")
    parser.add_argument("--quick", action="store_true", help="small and short, to see that it works: no figure counts")
    parser.add_argument("--json", metavar="FILE", help="write every figure of every round there")
    hidden = {"required": True, "help": argparse.SUPPRESS}
    parser.add_argument("--server", help=argparse.SUPPRESS)
    parser.add_argument("--load", **hidden)
    parser.add_argument("--folder", **hidden)
    parser.add_argument("--tools", **hidden)
    options = parser.parse_args()
    options.workloads = options.workloads or ["w1", "w2", "w3", "w7"]
    if unknown := [name for name in options.workloads if name not in names]:
        parser.error(f"there is no workload {unknown[0]}; there are {' '.join(names)}")
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    for program in options.compare or [options.server]:
        if not program or not os.access(program, os.X_OK) or os.path.isdir(program):
            parser.error(f"{program} is not a program: give a server built with --features server")
    return options


def measure(bench, workload, options, rows):
    """Adds a workload's rows, also if it is interrupted. All servers in turn, as often as there are rounds: what disturbs the machine disturbs all of them alike."""
    title = workload.title(bench)
    only = options.only and options.only.split(",")
    competitors = [one for one in workload.competitors(bench) if not only or one.key in only]
    rounds, notes = {}, {}
    try:
        for number in range(options.rounds):
            # Each round begins with another one.
            turn = number % len(competitors) if competitors else 0
            for one in competitors[turn:] + competitors[:turn]:
                measure_one(bench, workload, one, f"round {number + 1} of {options.rounds}", rounds, notes)
    finally:
        for name in rounds or [title]:
            for one in competitors:
                row = median_row(rounds.get(name, {}).get(one.key)) | {"workload": name, "server": one.label}
                if one.key in notes:
                    row["note"] = notes[one.key]
                rows.append(row)


def measure_one(bench, workload, one, what, rounds, notes):
    why = one.missing(bench.folders.bench) if hasattr(one, "missing") else None
    if why or one.key in notes:
        notes.setdefault(one.key, f"not available: {why}")
        return
    load = os.getloadavg()[0]
    print(f"{workload.title(bench)}: {one.label}, {what}", file=sys.stderr)
    try:
        for name, row in workload.run(bench, one).items():
            rounds.setdefault(name, {}).setdefault(one.key, []).append(row | {"load_before": load})
    except Failed as error:
        notes[one.key] = "failed: " + " / ".join(str(error).splitlines())
        print(error, file=sys.stderr)
        bench.processes.stop_all()


def median_row(rounds):
    if not rounds:
        return {}
    row = {"rounds": rounds, "note": next((one["note"] for one in rounds if one.get("note")), "")}
    for field in [field for field, _, _ in COLUMNS] + ["cores"]:
        values = [one[field] for one in rounds if one.get(field) is not None]
        if values:
            row[field] = statistics.median(values)
            if field == "cpu" and len(values) > 1 and row[field]:
                row["spread"] = (max(values) - min(values)) / row[field]
    loads = [one["load_before"] for one in rounds]
    row["load"] = f"{min(loads):.1f}" if len(loads) == 1 else f"{min(loads):.1f}-{max(loads):.1f}"
    return row


def machine(options, began):
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), model)
    builds = [os.path.basename(program) for program in options.compare or [options.server]]
    try:
        builds = [run([program, "version"]).strip() for program in options.compare or [options.server]]
    except Failed:
        pass
    end = datetime.datetime.now(datetime.timezone.utc)
    quick = " --quick: no figure of this run counts." if options.quick else ""
    return (
        f"{began:%Y-%m-%d %H:%M} to {end:%H:%M} UTC; {model}, {os.cpu_count()} cores, Linux {platform.release()}; "
        f"{', '.join(builds)}; rounds: {options.rounds}.{quick}"
    )


def raise_file_limit():
    import resource

    _, highest = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest, highest))


if __name__ == "__main__":
    sys.exit(main())
