// Another log than the one that was written: a test cannot wait a day, and no server writes what only another program
// would.

import { createHash } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export const DAY = 24 * 60 * 60 * 1000;
/** What is due is erased a minute later: the clock that times entries may be behind the server's. */
export const MARGIN = 60_000;

/** The digest that a header has of a stored body. */
const digestOf = body => createHash("sha256").update(body).digest("hex").slice(0, 32);

/** H(before, header), as docs/protocol.md has it. */
function linkAfter(before, header) {
  const { g, at, by, id, room = "-", kind, target = "-", slot = "-", digest } = header;
  const text = `${before}\n${g}\n${at}\n${by} ${id} ${room} ${kind} ${target} ${slot} ${digest}`;
  return createHash("sha1").update(text).digest("hex").slice(0, 16);
}

/**
 * Gives a stopped server a log in which `change` has changed entries, each { header, body }. Their numbers stay. Logins and
 * links to join end; passwords and what was read stay.
 */
export async function rewriteLog(server, change) {
  const file = join(server.home, "backup.jsonl");
  await server.command("backup", file);
  const lines = readFileSync(file, "utf8").trimEnd().split("\n").map(line => JSON.parse(line));
  const entries = lines.filter(line => line.entry).map(line => line.entry);
  change(entries);
  let link = "0".repeat(16);
  for (const entry of entries) {
    if (entry.body !== null) entry.header.digest = digestOf(entry.body);
    entry.link = link = linkAfter(link, entry.header);
  }
  const before = lines.slice(0, -1).map(line => `${JSON.stringify(line)}\n`).join("");
  const { end } = lines.at(-1);
  Object.assign(end, { first_link: entries[0].link, last_link: link, sha256: createHash("sha256").update(before).digest("hex") });
  writeFileSync(file, `${before}${JSON.stringify({ end })}\n`);
  rmSync(server.data, { recursive: true });
  await server.command("restore", file);
  rmSync(file);
}

/** As if all of it was written so long ago, in milliseconds. */
export const older = by => entries => entries.forEach(({ header }) => (header.at -= by));

/** As if its newest entry was written at this time. */
export const endingAt = at => entries => older(entries.at(-1).header.at - at)(entries);
