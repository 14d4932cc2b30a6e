// Threads: beside the room, under one message, read by those who follow.

import assert from "node:assert/strict";
import { LONG, NO_SERVER, box, offline, online, roomOf, row, say, settled, storedOnce, texts, two } from "./room.mjs";
import { assertAccessible, test, until } from "./support.mjs";

const SIZES = { desktop: { width: 1280, height: 860 }, phone: { width: 390, height: 844 } };
const panel = page => page.getByRole("complementary", { name: "Thread" });
const answerBox = page => panel(page).locator(".composer textarea");
const answers = page => panel(page).locator(".timeline > .row[data-ordinal]:not([data-ordinal='0']) .text").allTextContents();
const link = (page, text) => page.locator(".room > .stage .row[data-ordinal]").filter({ hasText: text }).locator(".thread-link:not(.also-link)");
const inRoom = page => page.locator(".room > .stage .timeline > .row[data-ordinal] .text").allTextContents();

async function open(page, text) {
  await page.locator(".room > .stage .row[data-ordinal]").filter({ hasText: text }).locator(".text").first().click({ button: "right" });
  await page.getByRole("menuitem", { name: "Answer in a thread" }).click();
  await answerBox(page).waitFor();
}
async function answer(page, text) {
  await answerBox(page).fill(text);
  await answerBox(page).press("Enter");
}
const answered = (page, all) => until(async () => JSON.stringify(await answers(page)) === JSON.stringify(all), `the answers are ${all}`, LONG);

for (const [name, viewport] of Object.entries(SIZES)) {
  test(`an answer stands under its message, is counted there and read by who follows: ${name}`, async t => {
    const server = await t.server();
    const [ada, bo] = await two(t, server);
    for (const page of [ada, bo]) await page.setViewportSize(viewport);
    await say(ada, "Lunch at noon?");
    await storedOnce(bo, "Lunch at noon?");
    await open(bo, "Lunch at noon?");
    // Where the thread lies over its room, keys and readers go on in it.
    const within = () => bo.evaluate(() => document.activeElement.closest(".thread") !== null);
    if (name === "phone") await until(within, "the thread has the focus");
    await answer(bo, "Gladly");
    await answered(bo, ["Gladly"]);
    await answer(bo, "Where?");
    await answered(bo, ["Gladly", "Where?"]);
    // The room has one message, and what is under it says how many.
    await link(ada, "Lunch").getByText("2 answers").waitFor({ timeout: LONG });
    assert.deepEqual(await inRoom(ada), ["Lunch at noon?"]);
    // Ada wrote the message: she follows, and has not read.
    const threads = ada.locator(".threads > summary");
    await until(async () => (await threads.getAttribute("aria-label")) === "Threads, 2 unread", "two are unread");
    await threads.click();
    const line = ada.locator(".threads li").filter({ hasText: "Lunch at noon?" });
    await line.getByText("2 new").waitFor();
    await assertAccessible(ada);
    await line.getByRole("link").click();
    await answered(ada, ["Gladly", "Where?"]);
    await until(async () => (await threads.getAttribute("aria-label")) === "Threads", "they are read", LONG);
    await assertAccessible(ada);
    // Live while it is open.
    await answer(bo, "I bring cake");
    await answered(ada, ["Gladly", "Where?", "I bring cake"]);
    await answer(ada, "Good");
    await answered(bo, ["Gladly", "Where?", "I bring cake", "Good"]);
    // Its address leads to it, and out of it.
    const path = new URL(ada.url()).pathname;
    assert.match(path, /^\/r\/[a-z]{10}\/thread\/\d+$/);
    await ada.reload();
    await settled(ada);
    await answered(ada, ["Gladly", "Where?", "I bring cake", "Good"]);
    await panel(ada).getByRole("link", { name: "Close the thread" }).click();
    await panel(ada).waitFor({ state: "detached" });
    assert.equal(new URL(ada.url()).pathname, `/r/${roomOf(ada)}`);
    await link(ada, "Lunch").getByText("4 answers").waitFor();
    await until(() => link(ada, "Lunch").evaluate(el => el === document.activeElement), "the way to it has the focus");
    await link(ada, "Lunch").click();
    await answered(ada, ["Gladly", "Where?", "I bring cake", "Good"]);
    await ada.goBack();
    await panel(ada).waitFor({ state: "detached" });
  }, { timeout: 120_000 });
}

test("an answer to the room, too, is one message in both", async t => {
  const server = await t.server();
  const [ada, bo] = await two(t, server);
  await say(ada, "Which colour?");
  await storedOnce(bo, "Which colour?");
  await open(bo, "Which colour?");
  await panel(bo).getByRole("checkbox", { name: "Also to General" }).check();
  await answer(bo, "Blue, of course");
  await answered(bo, ["Blue, of course"]);
  assert.equal(await panel(bo).getByRole("checkbox").isChecked(), false, "the next one is for the thread");
  await answer(bo, "Or green");
  await answered(bo, ["Blue, of course", "Or green"]);
  for (const page of [ada, bo]) await until(async () => JSON.stringify(await inRoom(page)) === JSON.stringify(["Which colour?", "Blue, of course"]), "the room has one of them", LONG);
  // What is done to it in one place is done in the other.
  await bo.locator(".room > .stage .row").filter({ hasText: "Blue" }).locator(".text").click({ button: "right" });
  await bo.getByRole("menuitem", { name: "Edit" }).click();
  assert.equal(await bo.locator(".edit-box").count(), 1, "one box, where it was asked for");
  await bo.locator(".edit-box textarea").fill("Blue, always");
  await bo.locator(".edit-box textarea").press("Enter");
  await panel(bo).locator(".row").filter({ hasText: "Blue, always" }).waitFor();
  // From the room back to where it answers.
  await ada.locator(".room > .stage .row").filter({ hasText: "Blue" }).getByRole("link", { name: "Answer in a thread" }).click();
  await panel(ada).locator(".row.found, .row:focus-within").filter({ hasText: "Blue, always" }).waitFor();
  await panel(ada).locator(".row").filter({ hasText: "Blue" }).getByRole("link", { name: "Also in the room" }).click();
  await panel(ada).waitFor({ state: "detached" });
});

test("answers wait without a connection, and arrive once and in order; drafts of lanes are kept apart", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server();
  const way = await t.proxy(server);
  const [ada, bo] = await two(t, server, way);
  await say(ada, "Three things");
  await storedOnce(bo, "Three things");
  await open(ada, "Three things");
  await answer(ada, "One");
  await answered(ada, ["One"]);
  way.cut();
  await offline(ada);
  await answer(ada, "Two");
  await answer(ada, "Three");
  await until(async () => (await panel(ada).locator(".row.pending").count()) === 2, "two wait in the thread");
  assert.equal(await ada.locator(".room > .stage .row.pending").count(), 0, "the room has nothing that waits");
  await box(ada).first().fill("half a thought for the room");
  await answerBox(ada).fill("half a thought for the thread");
  await answerBox(ada).blur();
  way.mend();
  await online(ada);
  await answered(ada, ["One", "Two", "Three"]);
  await ada.reload();
  await settled(ada);
  await until(async () => (await answerBox(ada).inputValue()) === "half a thought for the thread", "the thread's draft is kept");
  assert.equal(await box(ada).first().inputValue(), "half a thought for the room");
  await open(bo, "Three things");
  await answered(bo, ["One", "Two", "Three"]);
}, { timeout: 120_000 });

test("by keys: T opens the thread of a message, Escape closes it; one follows or does not", async t => {
  const server = await t.server();
  const [ada, bo] = await two(t, server);
  await say(ada, "A question");
  await storedOnce(bo, "A question");
  await bo.locator(".room > .stage .row article").last().focus();
  await bo.keyboard.press("t");
  await answerBox(bo).waitFor();
  await panel(bo).getByRole("button", { name: "Follow", exact: true }).click();
  await panel(bo).getByRole("button", { name: "Following" }).waitFor();
  await answerBox(bo).focus();
  await bo.keyboard.press("Escape");
  await panel(bo).waitFor({ state: "detached" });
  await open(ada, "A question");
  await answer(ada, "And an answer");
  // Bo follows: he hears of it.
  await until(async () => (await bo.locator(".threads > summary").getAttribute("aria-label")) === "Threads, 1 unread", "it is unread", LONG);
  await link(bo, "A question").click();
  await panel(bo).getByRole("button", { name: "Following" }).click();
  await panel(bo).getByRole("button", { name: "Follow", exact: true }).waitFor();
  await bo.keyboard.press("Escape");
  await answer(ada, "And another");
  await link(bo, "A question").getByText("2 answers").waitFor({ timeout: LONG });
  await until(async () => (await bo.locator(".threads > summary").getAttribute("aria-label")) === "Threads", "nothing is unread for who does not follow");
});

test("without a script a thread is read and answered", async t => {
  const server = await t.server();
  const pages = await two(t, server);
  const [ada] = pages;
  await say(ada, "Does it work?");
  await open(ada, "Does it work?");
  await answer(ada, "With a script");
  await answered(ada, ["With a script"]);
  const plain = await t.page(server, new URL(ada.url()).pathname, { login: pages.logins[0], javaScriptEnabled: false });
  assert.deepEqual(await answers(plain), ["With a script"]);
  await answerBox(plain).fill("Without one");
  await panel(plain).getByRole("button", { name: "Send" }).click();
  await plain.waitForURL(/\/thread\/\d+/);
  assert.deepEqual(await answers(plain), ["With a script", "Without one"]);
  await answered(ada, ["With a script", "Without one"]);
});

test("from an answer on a thread is unread again, by menu and by key, until one comes back to it", async t => {
  const server = await t.server();
  const [ada, bo] = await two(t, server);
  await say(ada, "A long story");
  await storedOnce(bo, "A long story");
  await open(bo, "A long story");
  for (const text of ["One", "Two", "Three"]) { await answer(bo, text); await panel(bo).locator(".row[data-ordinal]").filter({ hasText: text }).waitFor(); }
  const threads = ada.locator(".threads > summary");
  const unread = n => until(async () => (await threads.getAttribute("aria-label")) === (n ? `Threads, ${n} unread` : "Threads"), `${n} are unread`, LONG);
  await unread(3);
  await link(ada, "A long story").click();
  await answered(ada, ["One", "Two", "Three"]);
  await unread(0);
  const menu = ada.getByRole("menu", { name: "Message" });
  await panel(ada).locator(".row").filter({ hasText: "Two" }).locator(".text").click({ button: "right" });
  await menu.getByRole("menuitem", { name: "Mark unread from here" }).click();
  await unread(2);
  await panel(ada).locator(".new + .row, .new ~ .row").first().filter({ hasText: "Two" }).waitFor();
  await ada.getByText("The thread stays unread until you come back to it.").waitFor();
  await assertAccessible(ada);
  await ada.locator(".marked").getByRole("button", { name: "Undo" }).click();
  await unread(0);
  // By key; and it stays while one looks.
  await panel(ada).locator(".row").filter({ hasText: "Three" }).locator(".message").focus();
  await ada.keyboard.press("u");
  await unread(1);
  await answer(bo, "Four");
  await answered(ada, ["One", "Two", "Three", "Four"]);
  await unread(2);
  await ada.waitForTimeout(2_000);
  await unread(2);
  await panel(ada).getByRole("link", { name: "Close the thread" }).click();
  await link(ada, "A long story").click();
  await unread(0);
  // The root is read with the room, and who does not follow has nothing unread.
  await panel(ada).locator(".row[data-ordinal='0'] .text").click({ button: "right" });
  await menu.waitFor();
  assert.equal(await menu.getByRole("menuitem", { name: "Mark unread from here" }).count(), 0);
  await ada.keyboard.press("Escape");
  await panel(ada).getByRole("button", { name: "Following" }).click();
  await panel(ada).getByRole("button", { name: "Follow", exact: true }).waitFor();
  await panel(ada).locator(".row").filter({ hasText: "Two" }).locator(".text").click({ button: "right" });
  await menu.waitFor();
  assert.equal(await menu.getByRole("menuitem", { name: "Mark unread from here" }).count(), 0);
}, { timeout: 120_000 });

test("who types an answer is shown in that thread alone, until it is there or given up", async t => {
  const server = await t.server();
  const [ada, bo] = await two(t, server);
  await say(ada, "Which way?");
  await say(ada, "And when?");
  for (const text of ["Which way?", "And when?"]) await storedOnce(bo, text);
  await open(bo, "Which way?");
  await open(ada, "Which way?");
  const typers = where => where.locator(".typers").first();
  const room = ada.locator(".room > .composer");
  const shown = (where, text) => until(async () => (await typers(where).textContent()) === text, `“${text}” is shown`, LONG);
  await answerBox(bo).pressSequentially("To the le");
  await shown(panel(ada), "Bo Lind is typing");
  await shown(room, "");
  await answerBox(bo).press("Enter");
  await answered(ada, ["To the le"]);
  await shown(panel(ada), "");
  // It ends when it is given up; and in another thread nobody is told here.
  await answerBox(bo).pressSequentially("Or");
  await shown(panel(ada), "Bo Lind is typing");
  await answerBox(bo).fill("");
  await shown(panel(ada), "");
  await open(bo, "And when?");
  await answerBox(bo).pressSequentially("At no");
  await bo.locator(".room > .composer textarea").pressSequentially("For all");
  await shown(room, "Bo Lind is typing");
  await shown(panel(ada), "");
}, { timeout: 120_000 });
