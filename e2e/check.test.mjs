// "Check from #1" in a log of format 5: what it says of texts that are there, deleted, erased, older, or others than the log
// has.

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LONG, NO_SERVER, choose, edit, row, say, settled, storedOnce, two } from "./room.mjs";
import { DAY, older, rewriteLog } from "./log.mjs";
import { FIRST, SIZES, assertAccessible, test, until } from "./support.mjs";

const FIVE = { env: { BECK_NEWEST_FORMAT: "5" } };
const TIMEOUT = { timeout: 120_000 };
const fact = (page, name) => page.locator(".facts > div").filter({ hasText: name }).locator("dd");

/** What the panel says of the texts, once all links agree. */
async function check(page) {
  if (!(await page.locator(".complete-panel").isVisible())) await page.locator(".chip").click();
  await page.getByRole("button", { name: "Check from #1" }).click();
  await fact(page, /^All links/).getByText(/^All \d+ links agree/).waitFor();
  return fact(page, /^Texts/).textContent();
}

async function openAgain(t, server, options = {}) {
  const page = await t.page(server, "/", { login: await server.signIn(FIRST), ...options });
  await settled(page);
  return page;
}

/** A text in the state file alone: an erasure empties its journal into it. */
const inState = (server, text) => {
  const has = name => existsSync(join(server.data, name)) && readFileSync(join(server.data, name)).includes(text);
  return has("state.sqlite") && !has("state.sqlite-wal");
};

/** Changes a text in the state of a stopped server; its bytes stay as many. */
function changeState(server, from, to) {
  const path = join(server.data, "state.sqlite"), bytes = readFileSync(path);
  assert(from.length === to.length && inState(server, from));
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1)) bytes.write(to, at);
  writeFileSync(path, bytes);
}

test("the check counts texts as checked, deleted, erased, and as older than the format", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server({ env: { BECK_NEWEST_FORMAT: "4" } });
  const [ada] = await two(t, server);
  await say(ada, "Of an earlier format");
  await storedOnce(ada, "Of an earlier format");
  server.env.BECK_NEWEST_FORMAT = "5";
  await ada.goto("about:blank");
  await server.restart();
  let page = await openAgain(t, server);
  for (const text of ["Deleted two days ago", "As it was written", "Changed, and changed back"]) await say(page, text);
  await storedOnce(page, "Changed, and changed back");
  await edit(page, "Changed, and", "Changed");
  await row(page, "Changed").getByRole("button", { name: /^edited/ }).waitFor();
  await edit(page, "Changed", "Changed, and changed back");
  await row(page, "Changed, and").waitFor();
  await choose(page, "Deleted two days ago", /^Delete/);
  await row(page, "deleted").waitFor();
  assert.equal(await check(page), "2 of 3 texts checked, 1 deleted. 1 not checked: written before the server was updated.");
  await page.close();

  await server.stop();
  await rewriteLog(server, older(2 * DAY));
  await server.start();
  page = await openAgain(t, server);
  await say(page, "Of today");
  await storedOnce(page, "Of today");
  await say(page, "Deleted today");
  await storedOnce(page, "Deleted today");
  await choose(page, "Deleted today", /^Delete/);
  await row(page, "deleted").nth(1).waitFor();
  assert.equal(await check(page), "3 of 4 texts checked, 1 erased, 1 deleted. 1 not checked: written before the server was updated.");
  await assertAccessible(page);
  // Restored, it is checked once it comes with its salt.
  await page.keyboard.press("Escape");
  await row(page, "deleted").getByRole("button", { name: "Undo" }).click();
  await row(page, "Deleted today").waitFor({ timeout: LONG });
  await page.reload();
  await settled(page);
  assert.equal(await check(page), "4 of 5 texts checked, 1 erased. 1 not checked: written before the server was updated.");
}, TIMEOUT);

for (const size of ["desktop", "phone"]) {
  test(`a text that the server changed on its disk is said to differ: ${size}`, async t => {
    t.allow(...NO_SERVER);
    const server = await t.server(FIVE);
    const [ada] = await two(t, server);
    for (const text of ["Pay Bo 100", "Said too early", "Nothing special"]) await say(ada, text);
    await storedOnce(ada, "Nothing special");
    await choose(ada, "Said too early", /^Delete/);
    await row(ada, "deleted").waitFor();
    await ada.close();
    await server.stop();
    await rewriteLog(server, older(2 * DAY));
    await server.start();
    await until(() => inState(server, "Pay Bo 100"), "the deleted text is erased", LONG);
    await server.stop();
    changeState(server, "Pay Bo 100", "Pay Bo 900");
    await server.start();
    const page = await openAgain(t, server, SIZES[size]);
    await row(page, "Pay Bo 900").waitFor();
    const event = Number((await fact(page, /^Server/).textContent()).match(/event (\d+)/)[1]) - 4;
    assert.equal(await check(page), `1 of 2 texts checked, 1 erased. The server sent another text for event ${event} than the log has. Contact the person who runs this server.`);
    assert.equal(await page.locator(".chip-text").textContent(), "differs");
    assert.match(await page.locator(".chip").getAttribute("aria-label"), /another text/);
    assert(await fact(page, /^Texts/).locator(".bad").isVisible());
    await assertAccessible(page);
    // What came stays on the page, and says so itself.
    await row(page, "Pay Bo 900").getByText("This is not the text that the log has.").waitFor();
    assert.equal(await page.getByText("This is not the text").count(), 1);
  }, TIMEOUT);
}
