"""The table: one row for each server at each workload."""

COLUMNS = [
    # field of a row, heading, digits after the point
    ("cpu", "CPU µs", 2),
    ("p50", "p50 ms", 2),
    ("p99", "p99 ms", 1),
    ("memory", "KB/socket", 2),
    ("resident", "RSS MB", 1),
    ("ready", "ready s", 1),
    ("rate", "per s", 0),
]

LEGEND = """\
A figure in parentheses is Beck's (the first row of a workload) divided by this row's: below 1.0 Beck needs less.
CPU µs: of the servers, per delivery; append: per post; w1: per second and socket. p50, p99: from when a post was due
until it was read; append: until it was acknowledged; w7: at the other server than the sender's. KB/socket: growth of the
resident set. ready: until all sockets were subscribed. per s: deliveries; append: stored posts; XADD: entries. cores: of
the servers' one core. spread: of CPU µs over the rounds, (highest - lowest) / median. load: of the machine before each run."""


def render(rows, facts):
    """`rows` are dicts in order: workload, server, the fields above, cores, spread, load, note."""
    with_rounds = any(row.get("spread") is not None for row in rows)
    head = ["workload", "server"]
    for _, heading, _ in COLUMNS:
        head += [heading, ""]
    head += ["cores"] + (["spread"] if with_rounds else []) + ["load", ""]
    lines = [head]
    first = {}
    for row in rows:
        subject = first.setdefault(row["workload"], row)
        line = [row["workload"] if row is subject else "", row["server"]]
        for field, _, digits in COLUMNS:
            line += [_number(row.get(field), digits), _ratio(subject, row, field)]
        line.append(_number(row.get("cores"), 2))
        if with_rounds:
            line.append("" if row.get("spread") is None else f"{row['spread']:.0%}")
        lines.append(line + [row.get("load", ""), row.get("note", "")])
    used = [at for at in range(len(head)) if any(line[at] for line in (lines if at < 2 else lines[1:]))]
    widths = {at: max(len(line[at]) for line in lines) for at in used}
    text = []
    for number, line in enumerate(lines):
        if number > 1 and line[0]:
            text.append("")
        is_text = lambda at: at < 2 or at == len(head) - 1
        is_ratio = lambda at: not is_text(at) and not head[at]
        cells = [line[at].ljust(widths[at]) if is_text(at) else line[at].rjust(widths[at]) for at in used]
        gaps = [" " if is_ratio(at) else "  " for at in used]
        text.append("".join(gap + cell for gap, cell in zip(gaps, cells))[2:].rstrip())
    return "\n".join(text) + f"\n\n{LEGEND}\n{facts}"


def _number(value, digits):
    return "" if value is None else f"{value:,.{digits}f}"


def _ratio(subject, row, field):
    ours, theirs = subject.get(field), row.get(field)
    if row is subject or ours is None or not theirs:
        return ""
    return f"({ours / theirs:.2f})"
