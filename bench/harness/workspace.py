"""Makes an export of a workspace of any size, for `beck import`: from docs/operations.md and docs/protocol.md alone, so
what it makes does not depend on the code that is measured.

    python3 bench/harness/workspace.py OUT ACCOUNTS ROOMS ROOMS_PER_ACCOUNT [MESSAGES]

OUT gets the export, OUT.accounts and OUT.rooms the ids, one per line. Account a is in the rooms a, a + 1, a + 2 ... (as
many as it has, counted around), so the client a of the load generator is in the room that it posts to.
"""

import hashlib
import json
import random
import sys
import time
import uuid

LETTERS = "bcdfghjklmnpqrstvwxz"
DAY_MS = 86_400_000


def make(out, accounts, rooms, rooms_per_account, messages=0):
    """Writes the three files."""
    export = _Export(out)
    ids = [export.identifier() for _ in range(accounts)]
    room_ids = [export.identifier() for _ in range(rooms)]
    export.entry(ids[0], "workspace", {"id": export.workspace, "name": "Bench", "format": 4})
    for number, account in enumerate(ids):
        owner = number == 0
        export.entry(
            account,
            "account",
            {
                "name": "Owner One" if owner else f"User {number}",
                "handle": "owner" if owner else f"user{number}",
                "role": "owner" if owner else "member",
            },
            target=account,
        )
    members = []
    for number, room in enumerate(room_ids):
        name = f"Room {number}" if number else "General"
        export.entry(ids[number % accounts], "room", {"kind": "open", "name": name, "topic": ""}, room=room)
        members.append([number % accounts])
    for account in range(accounts):
        for step in range(min(rooms_per_account, rooms)):
            room = (account + step) % rooms
            if account != room % accounts:
                members[room].append(account)
                export.entry(ids[account], "join", None, room=room_ids[room], target=ids[account])
    words = _Words(export.random)
    for number in range(messages):
        # Half of all messages are in one room, so that it is a long one.
        room = 0 if number % 2 == 0 else export.random.randrange(rooms)
        author = ids[export.random.choice(members[room])]
        export.entry(author, "message", {"text": words.text(number)}, room=room_ids[room], after_ms=500)
    export.close()
    for name, lines in (("accounts", ids), ("rooms", room_ids)):
        with open(f"{out}.{name}", "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
    return export.count


class _Export:
    """The file, and what its next entry continues."""

    def __init__(self, out):
        self.random = random.Random(7)  # the same ids in each run
        self.file = open(out, "wb")
        self.sum = hashlib.sha256()
        self.workspace = self.identifier()
        self.count = 0
        self.link = "0" * 16
        self.first_link = None
        self.at = int(time.time() * 1000) - 30 * DAY_MS
        self._write({"beck": {"archive": "export", "version": 1, "workspace": self.workspace}})

    def identifier(self):
        return "".join(self.random.choice(LETTERS) for _ in range(10))

    def entry(self, by, kind, body, room=None, target=None, after_ms=1):
        self.count += 1
        self.at += after_ms
        bits = self.random.getrandbits(74)
        client_id = uuid.UUID(int=(self.at << 80) | (7 << 76) | ((bits & 0xFFF) << 64) | (2 << 62) | (bits >> 12))
        text = f"{self.random.getrandbits(64):016x}{_json(body)}"
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        header = {"g": self.count, "at": self.at, "by": by, "id": str(client_id), "room": room, "kind": kind}
        header |= {"target": target, "digest": digest}
        said = f"{by} {client_id} {room or '-'} {kind} {target or '-'} - {digest}"
        link = hashlib.sha1(f"{self.link}\n{self.count}\n{self.at}\n{said}".encode())
        self.link = link.hexdigest()[:16]
        self.first_link = self.first_link or self.link
        header = {name: value for name, value in header.items() if value is not None}
        self._write({"entry": {"header": header, "link": self.link, "body": text}})

    def close(self):
        end = {"workspace": self.workspace, "format": 4, "entries": self.count, "erased": 0, "pointers": 0, "secrets": 0}
        end |= {"first_link": self.first_link, "last_link": self.link, "sha256": self.sum.hexdigest()}
        self._write({"end": end})
        self.file.close()

    def _write(self, value):
        line = (_json(value) + "\n").encode()
        self.sum.update(line)
        self.file.write(line)


class _Words:
    """Texts of invented words: a few are frequent, most are rare, as in a language."""

    def __init__(self, source):
        self.source = source
        syllable = lambda: source.choice("bcdfghjklmnprstvwz") + source.choice("aeiou")
        self.words = ["".join(syllable() for _ in range(source.randint(1, 4))) for _ in range(20_000)]

    def text(self, number):
        last = len(self.words) - 1
        rank = lambda: min(int(self.source.paretovariate(0.7)) - 1, last)
        text = " ".join(self.words[rank()] for _ in range(self.source.randint(3, 30)))
        return text + " 上海の会議は金曜日です" if number % 97 == 0 else text


def _json(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


if __name__ == "__main__":
    try:
        print(make(sys.argv[1], *map(int, sys.argv[2:])), "entries")
    except (IndexError, TypeError, ValueError):
        sys.exit(__doc__)
