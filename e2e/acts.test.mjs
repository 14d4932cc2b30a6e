// What people do with messages: edit, react, reply, pin, delete; by mouse, by keys, by finger; without a connection too.

import assert from "node:assert/strict";
import {
  LONG, NO_SERVER, bar, box, choose, editBox, menu, offline, online, rewire, row, say, settled, storedOnce, texts, two,
} from "./room.mjs";
import { SIZES, assertAccessible, live, test, until } from "./support.mjs";

const TIMEOUT = { timeout: 120_000 };

const picker = page => page.getByRole("dialog", { name: "Choose a reaction" });
/** Reactions of a message as [emoji and count, mine]. */
const reactions = (page, text) =>
  row(page, text).locator(".reaction").evaluateAll(all => all.map(one => [one.textContent, one.classList.contains("mine")]));

test("an edit is seen by both, and its earlier texts can be opened", async t => {
  const server = await t.server();
  const [ada, bo] = await two(t, server);
  await say(ada, "The meeting is at 10");
  await storedOnce(bo, "The meeting is at 10");

  // The bar belongs to the row under the pointer, and lies on it.
  await row(ada, "meeting").hover();
  await bar(ada).waitFor();
  const [at, by] = [await row(ada, "meeting").boundingBox(), await bar(ada).boundingBox()];
  assert(Math.abs(by.y - at.y) < 30 && by.x + by.width <= at.x + at.width, `${JSON.stringify(by)} on ${JSON.stringify(at)}`);

  await choose(ada, "meeting", /^Edit/);
  assert.equal(await editBox(ada).inputValue(), "The meeting is at 10");
  assert.equal(await editBox(ada).evaluate(el => el === document.activeElement), true);
  await editBox(ada).fill("The meeting is at 11");
  await assertAccessible(ada);
  await editBox(ada).press("Enter");
  await row(ada, "The meeting is at 11").waitFor();
  await row(bo, "The meeting is at 11").waitFor({ timeout: LONG });
  assert.equal(await ada.evaluate(() => document.activeElement.matches(".composer textarea")), true, "one goes on writing");
  await row(bo, "meeting").getByRole("button", { name: /^edited/ }).click();
  const history = bo.getByRole("region", { name: "Earlier texts" });
  await history.locator("li").nth(1).waitFor();
  assert.deepEqual(await history.locator(".text").allTextContents(), ["The meeting is at 10", "The meeting is at 11"]);
  await history.getByRole("button", { name: "Close" }).click();
  assert.equal(await history.count(), 0);

  // The newest own message by the arrow; Esc leaves it as it was. Others' messages cannot be edited.
  await box(ada).press("ArrowUp");
  await editBox(ada).fill("never mind");
  await editBox(ada).press("Escape");
  assert.equal(await editBox(ada).count(), 0);
  await box(ada).press("ArrowUp");
  await editBox(ada).fill("   ");
  await editBox(ada).press("Enter");
  await ada.getByText("Nothing is left. To remove the message, delete it.").waitFor();
  await ada.getByRole("button", { name: "Cancel" }).click();
  await row(bo, "meeting").locator(".text").first().click({ button: "right" });
  assert.equal(await menu(bo).getByRole("menuitem", { name: /^(Edit|Delete)/ }).count(), 0);
  await bo.keyboard.press("Escape");
  await menu(bo).waitFor({ state: "detached" });
  await bo.reload();
  await settled(bo);
  assert.deepEqual((await texts(bo)).map(text => text.trim()), ["The meeting is at 11 edited"]);
}, TIMEOUT);

test("reactions: found by a word, put on and taken off by a click, the same for both", async t => {
  const server = await t.server();
  const [ada, bo] = await two(t, server);
  await say(ada, "It is shipped");
  await storedOnce(bo, "It is shipped");
  await row(bo, "shipped").hover();
  await bar(bo).getByRole("button", { name: "React" }).click();
  await picker(bo).waitFor();
  await assertAccessible(bo);
  await picker(bo).getByRole("searchbox").fill("deploy");
  await picker(bo).getByRole("button", { name: "rocket" }).waitFor();
  await bo.keyboard.press("Enter");
  await picker(bo).waitFor({ state: "detached" });
  await row(ada, "shipped").locator(".reaction").waitFor({ timeout: LONG });
  assert.deepEqual(await reactions(ada, "shipped"), [["🚀1", false]]);
  assert.deepEqual(await reactions(bo, "shipped"), [["🚀1", true]]);
  await row(ada, "shipped").locator(".reaction").click();
  await until(async () => (await reactions(bo, "shipped"))[0]?.[0] === "🚀2", "both have it", LONG);
  assert.equal(await row(ada, "shipped").locator(".reaction").getAttribute("title"), "Bo Lind and you: rocket");
  await row(bo, "shipped").locator(".reaction").click();
  await until(async () => (await reactions(ada, "shipped"))[0]?.[0] === "🚀1", "Bo took it off", LONG);
  // What was used last is offered first.
  await row(bo, "shipped").hover();
  await bar(bo).getByRole("button", { name: "React" }).click();
  assert.equal(await picker(bo).locator(".grid .pick").first().textContent(), "🚀");
  await bo.keyboard.press("Escape");

  // Both as fast as they can, then at rest: what the last click of each said, and the same after a reload.
  const quick = page => page.evaluate(async () => {
    for (let n = 0; n < 25; n++) {
      document.querySelector(".row .reaction")?.click();
      await new Promise(done => setTimeout(done, n % 5 ? 5 : 40));
    }
  });
  await row(bo, "shipped").locator(".reaction").click();
  await until(async () => (await reactions(ada, "shipped"))[0]?.[0] === "🚀2", "both have it again", LONG);
  await Promise.all([quick(ada), quick(bo)]);
  const quiet = async page => {
    let before, same = 0;
    await until(async () => {
      const now = JSON.stringify(await reactions(page, "shipped"));
      same = now === before ? same + 1 : 0;
      before = now;
      return same > 4;
    }, "the reactions are at rest", LONG);
    return JSON.parse(before);
  };
  const counts = all => all.map(([text]) => text);
  const mine = all => all.some(([, mine]) => mine);
  const [hers, his] = [await quiet(ada), await quiet(bo)];
  assert.deepEqual(counts(hers), counts(his));
  assert.equal(Number(counts(hers)[0]?.slice(2) ?? 0), Number(mine(hers)) + Number(mine(his)), JSON.stringify([hers, his]));
  for (const [page, seen] of [[ada, hers], [bo, his]]) {
    await page.reload();
    await settled(page);
    assert.deepEqual(await reactions(page, "shipped"), seen);
  }
}, TIMEOUT);

test("a reply quotes, the quote follows the edit, and leads to the message", async t => {
  const server = await t.server();
  const [ada, bo] = await two(t, server);
  await say(ada, "Lunch at noon?");
  await storedOnce(bo, "Lunch at noon?");
  // By keys alone: to the message, R, the words, Enter.
  await row(bo, "Lunch").locator("article").focus();
  await bo.keyboard.press("r");
  await bo.getByText("Reply to Ada Ek").waitFor();
  assert.equal(await bo.evaluate(() => document.activeElement.matches(".composer textarea")), true);
  await bo.keyboard.press("Escape");
  await bo.getByText("Reply to Ada Ek").waitFor({ state: "detached" });
  await row(bo, "Lunch").locator("article").focus();
  await bo.keyboard.press("r");
  await bo.getByText("Reply to Ada Ek").waitFor();
  await bo.keyboard.type("Yes, gladly");
  await bo.keyboard.press("Enter");
  await storedOnce(ada, "Yes, gladly");
  assert.equal(await bo.getByText("Reply to Ada Ek").count(), 0);
  const quote = page => row(page, "Yes, gladly").locator(".quote");
  assert.equal((await quote(ada).textContent()).trim(), "Ada Ek Lunch at noon?");
  await choose(ada, "Lunch", /^Edit/);
  await editBox(ada).fill("Lunch at one?");
  await editBox(ada).press("Enter");
  await until(async () => (await quote(bo).textContent()).includes("Lunch at one?"), "the quote follows", LONG);
  await quote(bo).getByRole("link").click();
  await until(() => bo.evaluate(() => document.activeElement.textContent.includes("Lunch at one?")), "the quoted message has the focus");
}, TIMEOUT);

test("in a log of format 4 an own message goes and comes back; the owner is asked before another's goes", async t => {
  const server = await t.server({ env: { BECK_NEWEST_FORMAT: "4" } });
  const [ada, bo] = await two(t, server);
  await say(bo, "Said too early");
  await storedOnce(ada, "Said too early");
  await choose(bo, "Said too early", /^Delete/);
  await row(ada, "deleted").waitFor({ timeout: LONG });
  assert.deepEqual(await texts(ada), ["deleted"], "nobody else can bring it back");
  await row(bo, "deleted").getByRole("button", { name: "Undo" }).click();
  await row(ada, "Said too early").waitFor({ timeout: LONG });

  await choose(ada, "Said too early", /^Delete/);
  const question = ada.getByRole("alertdialog", { name: "Delete Bo Lind's message?" });
  await question.waitFor();
  await assertAccessible(ada);
  await question.getByRole("button", { name: "Cancel" }).click();
  await question.waitFor({ state: "detached" });
  await row(ada, "Said too early").waitFor();
  await choose(ada, "Said too early", /^Delete/);
  await question.getByRole("button", { name: "Delete" }).click();
  await row(bo, "deleted").waitFor({ timeout: LONG });
  assert.deepEqual(await texts(bo), ["deleted"]);
  assert.equal(await row(ada, "deleted").getByRole("button").count(), 0, "it cannot be brought back");
}, TIMEOUT);

test("in a log of format 5 an own message comes back without its text being sent", async t => {
  const server = await t.server({ env: { BECK_NEWEST_FORMAT: "5" } });
  const login = await server.setUp();
  const page = await t.page(server, "/", { login });
  let restored = null;
  const text = "Said too early";
  await rewire(page, { said: { act: frame => (frame.value === false ? (restored = frame) : frame) } });
  await page.reload();
  await settled(page);
  await say(page, text);
  await storedOnce(page, text);
  await choose(page, text, /^Delete/);
  await row(page, "deleted").getByRole("button", { name: "Undo" }).click();
  await row(page, text).waitFor({ timeout: LONG });
  assert.equal(restored.value, false);
}, TIMEOUT);

test("pins: put there from the menu, listed in the header, gone with the message", async t => {
  const server = await t.server();
  const [ada, bo] = await two(t, server);
  for (const text of ["House rules: be kind", "Nothing special"]) await say(ada, text);
  await storedOnce(bo, "Nothing special");
  const pins = page => page.locator(".pins-panel", { hasText: "Pinned" });
  await bo.getByLabel("Pinned messages").click();
  await pins(bo).getByText("Nothing is pinned here.").waitFor();
  await choose(ada, "House rules", /^Pin/);
  await row(bo, "House rules").getByText("Pinned by Ada Ek").waitFor({ timeout: LONG });
  // The open list follows.
  await pins(bo).getByRole("link").waitFor({ timeout: LONG });
  await assertAccessible(bo);
  await pins(bo).getByRole("link").click();
  await until(() => bo.evaluate(() => document.activeElement.textContent.includes("House rules")), "the pinned message has the focus");
  await pins(bo).waitFor({ state: "hidden" });
  await choose(ada, "House rules", /^Unpin/);
  await row(bo, "House rules").getByText("Pinned by").waitFor({ state: "detached", timeout: LONG });
  await bo.getByLabel("Pinned messages").click();
  await pins(bo).getByText("Nothing is pinned here.").waitFor();
}, TIMEOUT);

test("a menu by right click and by key, walked by arrows, gives the focus back", async t => {
  const server = await t.server();
  const [ada] = await two(t, server);
  await ada.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await say(ada, "Copy me");
  await storedOnce(ada, "Copy me");
  await row(ada, "Copy me").locator("article").focus();
  await ada.keyboard.press("Enter");
  await menu(ada).waitFor();
  await assertAccessible(ada);
  const focused = () => ada.evaluate(() => document.activeElement.textContent.trim());
  assert.match(await focused(), /^React/);
  await ada.keyboard.press("ArrowDown");
  assert.match(await focused(), /^Reply/);
  await ada.keyboard.press("End");
  assert.match(await focused(), /^Delete/);
  await ada.keyboard.press("Escape");
  await menu(ada).waitFor({ state: "detached" });
  await until(() => ada.evaluate(() => document.activeElement.matches(".message")), "the message has the focus again");
  await row(ada, "Copy me").locator(".text").click({ button: "right" });
  await menu(ada).getByRole("menuitem", { name: "Copy text" }).click();
  await until(async () => (await ada.evaluate(() => navigator.clipboard.readText())) === "Copy me", "the text is copied");
  await row(ada, "Copy me").locator(".text").click({ button: "right" });
  await menu(ada).getByRole("menuitem", { name: "Copy link" }).click();
  const link = new URL("1", ada.url().replace(/\/?$/, "/")).href;
  await until(async () => (await ada.evaluate(() => navigator.clipboard.readText())) === link, `${link} is copied`);
  // A click beside it closes it and does nothing else.
  await row(ada, "Copy me").locator(".text").click({ button: "right" });
  await ada.mouse.click(5, 400);
  await menu(ada).waitFor({ state: "detached" });
}, TIMEOUT);

test("on a phone a finger that rests opens the sheet; one that moves scrolls", async t => {
  const server = await t.server();
  const ada = await server.setUp();
  const bo = await server.join(await server.joinPath(ada));
  const pages = [await t.page(server, "/", { login: ada, ...SIZES.phone }), await t.page(server, "/", { login: bo })];
  for (const page of pages) await settled(page);
  const [phone, desk] = pages;
  await say(desk, "Seen on the way");
  await storedOnce(phone, "Seen on the way");
  await box(phone).fill("From my phone");
  await phone.getByRole("button", { name: "Send" }).tap();
  await storedOnce(phone, "From my phone");
  const touch = await phone.context().newCDPSession(phone);
  const rest = async (text, { move = 0 } = {}) => {
    const { x, y, height } = await row(phone, text).locator(".text").first().boundingBox();
    const at = [{ x: x + 20, y: y + height / 2 }];
    await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: at });
    if (move) await touch.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: [{ x: at[0].x, y: at[0].y + move }] });
    await phone.waitForTimeout(700);
    await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  };
  await rest("Seen on the way", { move: 40 });
  assert.equal(await menu(phone).count(), 0, "a finger that moves scrolls");
  await rest("Seen on the way");
  await menu(phone).waitFor();
  const sheet = await menu(phone).boundingBox();
  assert.equal(Math.round(sheet.y + sheet.height), SIZES.phone.viewport.height, "the sheet stands at the foot");
  await assertAccessible(phone);
  await menu(phone).getByRole("menuitemcheckbox", { name: "tada" }).tap();
  await row(desk, "Seen on the way").locator(".reaction").waitFor({ timeout: LONG });
  await menu(phone).waitFor({ state: "detached" });
  assert.equal(await phone.locator("[data-active]").count(), 0, "a finger stays nowhere: no row is left marked");
  await rest("From my phone");
  await menu(phone).getByRole("menuitem", { name: "Edit" }).tap();
  await editBox(phone).fill("From my phone, mended");
  await phone.getByRole("button", { name: "Save" }).tap();
  await row(desk, "From my phone, mended").waitFor({ timeout: LONG });
}, TIMEOUT);

test("what is done without a connection is shown, kept over a reload, and done once", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server();
  const way = await t.proxy(server);
  const ada = await server.setUp();
  const bo = await server.join(await server.joinPath(ada));
  const page = await t.page(way, "/", { login: ada });
  const other = await t.page(server, "/", { login: bo });
  for (const one of [page, other]) await settled(one);
  await say(page, "Draft of the plan");
  await say(page, "To be taken away");
  await storedOnce(other, "To be taken away");
  way.cutSockets();
  await offline(page);
  await choose(page, "Draft of the plan", /^Edit/);
  await editBox(page).fill("The plan");
  await editBox(page).press("Enter");
  await row(page, "The plan").waitFor();
  await row(page, "The plan").hover();
  await bar(page).getByRole("button", { name: "React" }).click();
  await picker(page).getByRole("button", { name: "eyes" }).first().click();
  await choose(page, "To be taken away", /^Edit/);
  await editBox(page).fill("Words that must not be lost");
  await editBox(page).press("Enter");
  // Meanwhile the owner's other page deletes the second message: the edit comes too late, and its words stay.
  const desk = await t.page(server, "/", { login: ada });
  await settled(desk);
  await choose(desk, "To be taken away", /^Delete/);
  await row(other, "deleted").waitFor({ timeout: LONG });
  await page.reload();
  await live(page);
  await row(page, "The plan").locator(".reaction").waitFor();
  await row(page, "Words that must not be lost").waitFor({ state: "detached" });
  assert(way.counts.cut > 0);
  way.mend();
  await online(page);
  await row(other, "The plan").waitFor({ timeout: LONG });
  await row(other, "The plan").locator(".reaction").waitFor({ timeout: LONG });
  await page.getByText("Edit not saved").waitFor({ timeout: LONG });
  assert.equal(await page.locator(".card.unsent").getByText("Words that must not be lost").count(), 1);
  await page.locator(".card.unsent").getByRole("button", { name: "Discard" }).click();
  await page.reload();
  await settled(page);
  // From format 5 on she may take it back from here, too.
  assert.deepEqual((await texts(page)).map(text => text.replace("Undo", "").trim()), ["The plan edited", "deleted"]);
  assert.deepEqual(await reactions(page, "The plan"), [["👀1", true]]);
  const history = other.getByRole("region", { name: "Earlier texts" });
  await row(other, "The plan").getByRole("button", { name: /^edited/ }).click();
  await history.locator("li").nth(1).waitFor();
  assert.equal(await history.locator("li").count(), 2, "the edit is there once");
}, TIMEOUT);
