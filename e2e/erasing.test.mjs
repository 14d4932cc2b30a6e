// Deleting, taking back and erasing in a log of format 5.

import assert from "node:assert/strict";
import { LONG, NO_SERVER, choose, edit, menu, offline, online, roomOf, row, say, settled, storedOnce, texts, two } from "./room.mjs";
import { DAY, MARGIN, endingAt, rewriteLog } from "./log.mjs";
import { FIRST, assertAccessible, live, test, until } from "./support.mjs";

const FIVE = { env: { BECK_NEWEST_FORMAT: "5" } };
const TIMEOUT = { timeout: 120_000 };
const deleted = page => row(page, "deleted");
const undo = page => deleted(page).getByRole("button", { name: "Undo" });
const BO = { handle: "bo", password: "battery staple" };

/** Texts that a browser keeps for this page, of every kind of store. */
const kept = page => page.evaluate(async () => {
  const bases = await indexedDB.databases();
  return JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage }) + bases.map(base => base.name).join();
});

/** Signs in and opens a page in the profile that it had before. */
async function comeBack(server, page, who, path) {
  const [name, ...value] = (await server.signIn(who)).split("=");
  await page.context().addCookies([{ name, value: value.join("="), url: server.url, httpOnly: true, sameSite: "Lax" }]);
  await page.goto(server.url + path);
  await settled(page);
}

test("whoever deleted a message may take it back, and nobody else", async t => {
  const server = await t.server(FIVE);
  const [ada, bo] = await two(t, server);
  const tab = await bo.context().newPage();
  await tab.goto(bo.url());
  await settled(tab);
  await say(bo, "Said too early");
  for (const page of [ada, tab]) await storedOnce(page, "Said too early");

  // By its author: Undo is there in each of his tabs, and also after a reload.
  await choose(bo, "Said too early", /^Delete/);
  for (const page of [ada, tab]) await deleted(page).waitFor({ timeout: LONG });
  await undo(bo).waitFor();
  await undo(tab).waitFor();
  assert.equal(await undo(ada).count(), 0);
  await tab.reload();
  await settled(tab);
  await undo(tab).click();
  for (const page of [ada, bo, tab]) await row(page, "Said too early").waitFor({ timeout: LONG });

  // By an owner, who is asked before: she may take it back, he may not.
  await choose(ada, "Said too early", /^Delete/);
  const question = ada.getByRole("alertdialog");
  await question.getByText("You can undo this for 24 hours.").waitFor();
  await assertAccessible(ada);
  await question.getByRole("button", { name: "Delete" }).click();
  for (const page of [bo, tab]) await deleted(page).waitFor({ timeout: LONG });
  assert.equal(await undo(bo).count() + await undo(tab).count(), 0);
  await undo(ada).click();
  for (const page of [ada, bo, tab]) await row(page, "Said too early").waitFor({ timeout: LONG });

  // By both: nobody may any more. Ada has no Undo to begin with, since Bo was first.
  await choose(bo, "Said too early", /^Delete/);
  await undo(bo).waitFor();
  await deleted(ada).waitFor({ timeout: LONG });
  assert.equal(await undo(ada).count(), 0);
  assert.deepEqual(await texts(ada), ["deleted"]);
}, TIMEOUT);

test("in an archived room a message is deleted and taken back, and nothing else is done with it", async t => {
  const server = await t.server(FIVE);
  const [ada, bo] = await two(t, server);
  const room = roomOf(bo);
  await say(bo, "Said too early");
  await storedOnce(ada, "Said too early");
  await server.request(`/r/${room}/archive`, { cookie: await server.signIn(FIRST), fields: { archived: "1" } });
  await bo.getByText("This room is archived").waitFor({ timeout: LONG });
  await row(bo, "Said too early").locator(".text").first().click({ button: "right" });
  await menu(bo).waitFor();
  assert.equal(await menu(bo).getByRole("menuitem", { name: /^(React|Reply|Answer|Edit|Pin)/ }).count(), 0);
  await menu(bo).getByRole("menuitem", { name: /^Delete/ }).click();
  await deleted(ada).waitFor({ timeout: LONG });
  await undo(bo).click();
  await row(ada, "Said too early").waitFor({ timeout: LONG });
}, TIMEOUT);

test("what is deleted goes from quotes, pins, threads and mentions, and from what the browser keeps", async t => {
  const server = await t.server(FIVE);
  const [ada, bo] = await two(t, server);
  const room = roomOf(bo);
  const text = "The password is swordfish, @ada";
  await say(bo, text);
  await storedOnce(ada, text);
  await choose(ada, text, /^Pin/);
  await choose(ada, text, /^Reply/);
  await say(ada, "Never write that here");
  await row(bo, "Never write that").locator(".quote").getByText("swordfish").waitFor({ timeout: LONG });
  await choose(ada, text, /^Answer in a thread/);
  const panel = ada.getByRole("complementary", { name: "Thread" });
  await panel.locator(".composer textarea").fill("Delete it");
  await panel.locator(".composer textarea").press("Enter");
  await panel.locator(".row").getByText("Delete it").waitFor();
  // A second tab shows what names her, and a third the lists in the header.
  const unread = await ada.context().newPage();
  await unread.goto(`${server.url}/unread`);
  await unread.locator(".mention-line").getByText("swordfish").waitFor();
  const lists = await ada.context().newPage();
  await lists.goto(`${server.url}/r/${room}`);
  await settled(lists);
  await lists.getByLabel("Pinned messages").click();
  await lists.locator(".pins-panel").getByText("swordfish").waitFor();
  assert((await kept(bo)).includes("swordfish"), "an outbox keeps for a while what it sent");

  await choose(bo, "swordfish", /^Delete/);
  const shows = async page => (await page.locator("body").innerHTML()).match(/.{0,80}swordfish.{0,40}/)?.[0] ?? null;
  for (const [name, page] of Object.entries({ bo, ada, lists })) {
    let where;
    await until(async () => !(where = await shows(page)), `the text is gone: ${name}`, 15_000).catch(fault => assert.fail(`${fault.message}: ${where}`));
    assert(!(await kept(page)).includes("swordfish"), `it is not kept: ${name}`);
  }
  await panel.getByText("deleted").waitFor();
  await row(ada, "Never write that").locator(".quote").getByText("deleted").waitFor();
  // Nor does any of it come again.
  await ada.getByLabel(/^Threads/).click();
  await ada.locator(".threads li").getByText("deleted").waitFor();
  for (const page of [ada, unread, lists]) {
    await page.reload();
    await live(page);
    assert.equal(await shows(page), null);
  }
  // Taken back, it is everywhere again.
  await undo(bo).first().click();
  for (const page of [ada, lists]) await row(page, "The password is swordfish").first().waitFor({ timeout: LONG });
  await row(ada, "Never write that").locator(".quote").getByText("swordfish").waitFor({ timeout: LONG });
  await unread.reload();
  await unread.locator(".mention-line").getByText("swordfish").waitFor();
}, TIMEOUT);

test("a deletion can be taken back for a day: then Undo goes, and a late one says why", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server(FIVE);
  const [ada] = await two(t, server);
  const path = new URL(ada.url()).pathname;
  await say(ada, "Said too early");
  await storedOnce(ada, "Said too early");
  await choose(ada, "Said too early", /^Delete/);
  await undo(ada).waitFor();
  await ada.goto("about:blank");
  await server.stop();
  let ends;
  await rewriteLog(server, entries => {
    ends = Date.now() + 25_000;
    endingAt(ends - DAY)(entries);
  });
  await server.start();
  await comeBack(server, ada, FIRST, path);
  // A browser of hers on another machine.
  const other = await t.page(server, path, { login: await server.signIn(FIRST) });
  await settled(other);
  await undo(ada).waitFor();
  // Pressed in time, and sent too late.
  await server.stop();
  await offline(ada);
  await undo(ada).click();
  await until(() => Date.now() > ends, "the day is over", LONG);
  await undo(other).waitFor({ state: "detached", timeout: LONG });
  await server.start();
  await ada.getByText("Deleted more than 24 hours ago. It can't be restored.").first().waitFor({ timeout: LONG });
  assert.deepEqual(await texts(ada), ["deleted"]);
  assert.equal(await undo(ada).count(), 0);
}, TIMEOUT);

test("what is erased goes from open pages and from what the browser keeps", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server(FIVE);
  const [ada, bo] = await two(t, server);
  const path = new URL(ada.url()).pathname;
  await say(ada, "The key is under the mat");
  await edit(ada, "under the mat", "The key is with Bo");
  await row(bo, "The key is with Bo").waitFor({ timeout: LONG });
  await say(ada, "Said too early");
  await storedOnce(bo, "Said too early");
  await choose(ada, "Said too early", /^Delete/);
  await deleted(bo).waitFor({ timeout: LONG });
  assert((await kept(ada)).includes("under the mat"), "an outbox keeps for a while what it sent");
  for (const page of [ada, bo]) await page.goto("about:blank");

  // All of it is due in a moment: the start before that erases nothing, the one after it does.
  await server.stop();
  let due;
  await rewriteLog(server, entries => {
    due = Date.now() + 25_000;
    endingAt(due - DAY - MARGIN)(entries);
  });
  await server.start();
  await comeBack(server, ada, FIRST, path);
  await comeBack(server, bo, BO, path);
  const tab = await bo.context().newPage();
  await tab.goto(bo.url());
  await settled(tab);
  const history = page => page.getByRole("region", { name: "Earlier texts" });
  for (const page of [ada, bo, tab]) {
    await row(page, "The key is with Bo").getByRole("button", { name: /^edited/ }).click();
    await history(page).getByText("under the mat").waitFor();
    await page.evaluate(() => (globalThis.sameDocument = true));
  }
  assert((await kept(ada)).includes("under the mat"));
  const checks = async page => {
    await page.locator(".chip").click();
    await page.getByRole("button", { name: "Check from #1" }).click();
    await page.getByText(/links agree/).waitFor();
    const said = await page.locator(".facts > div").filter({ hasText: /^Texts/ }).locator("dd").textContent();
    await page.keyboard.press("Escape");
    return said;
  };
  assert.equal(await checks(bo), "1 of 1 texts checked, 1 deleted.");
  assert(Date.now() < due, "the pages were open before anything was due");

  await until(() => Date.now() > due + 1000, "it is due", LONG);
  await server.restart();
  for (const [name, page] of Object.entries({ ada, bo, tab })) {
    await online(page);
    await history(page).getByText("under the mat").waitFor({ state: "detached", timeout: LONG });
    assert(!(await page.evaluate(() => document.documentElement.innerHTML)).includes("under the mat"), name);
    await until(async () => !(await kept(page)).includes("under the mat"), `it is not kept: ${name}`);
    assert.equal(await page.evaluate(() => globalThis.sameDocument), true, "no page was loaded again");
    assert.deepEqual((await texts(page)).map(text => text.trim()), ["The key is with Bo edited", "deleted"]);
  }
  assert.equal(await checks(bo), "1 of 1 texts checked, 1 erased.");
  // An edit of today is kept beside the erased one.
  await edit(ada, "The key is with Bo", "The key is with Cy");
  await row(bo, "The key is with Cy").waitFor({ timeout: LONG });
}, TIMEOUT);
