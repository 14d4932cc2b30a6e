// The client of the documentation is written from the protocol alone; it must work as it stands there.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { FIRST, root, test } from "./support.mjs";

/** Runs the example in the first room until it ends by itself. */
async function example(t, server, text) {
  const words = [server.url, FIRST.handle, FIRST.password, "General", text, "--once"];
  const child = spawn(process.execPath, [join(root, "docs/example_client.mjs"), ...words], { stdio: ["ignore", "pipe", "pipe"] });
  t.defer(() => child.kill("SIGKILL"));
  const clock = setTimeout(() => child.kill("SIGKILL"), 20_000);
  let [out, err] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", chunk => (out += chunk));
  child.stderr.setEncoding("utf8").on("data", chunk => (err += chunk));
  const code = await new Promise(done => child.once("close", done));
  clearTimeout(clock);
  assert.equal(code, 0, `the example ended with ${code}:\n${out}${err}`);
  return out.trimEnd().split("\n");
}

test("the documented client posts, follows and checks the chain", async t => {
  const server = await t.server();
  await server.setUp();
  const [one, two] = ["Tea is ready, żółć 🦦", "Second cup"];

  assert.deepEqual(await example(t, server, one), [`#1 ${FIRST.name}: ${one}`]);
  // The first comes from the page now, the second as an event.
  assert.deepEqual(await example(t, server, two), [`#1 ${FIRST.name}: ${one}`, `#2 ${FIRST.name}: ${two}`]);
});
