// When one is told and when not: do not disturb, quiet hours, the sound; and why, for one who asks. Each run ends with an
// empty console.

import assert from "node:assert/strict";
import { post, row, settled } from "./room.mjs";
import { badge, notified, openRoom, scene, sounds } from "./scene.mjs";
import { SIZES, assertAccessible, test, until } from "./support.mjs";

const TIMEOUT = { timeout: 120_000 };
const WIDTHS = ["desktop", "phone"];

const bodies = async page => (await notified(page)).map(({ body }) => body);
/** What was told, once a message is. */
const toldAt = (page, body) => until(async () => { const all = await bodies(page); return all.at(-1) === body && all; }, `“${body}” is told`);
/** It is decided once it is counted. */
const counted = (page, name, n) => until(async () => (await badge(page, name).textContent().catch(() => "")) === String(n), `${n} wait in ${name}`);
/** Minutes from now as a form has them, UTC as the browser's zone. */
const clock = minutes => new Date(Date.now() + minutes * 60_000).toISOString().slice(11, 16);
const quiet = (server, cookie, on, from, to) => server.request("/account/quiet", { cookie, fields: { on, from, to } });

test("do not disturb silences notifications and sound from wherever it is set, and until it is taken back", async t => {
  const { server, page, ada, bo, second } = await scene(t, "desktop", { permission: "granted" });
  const status = fields => server.request("/account/status", { cookie: ada, fields: { text: "", for: "", ...fields } });
  await page.keyboard.press("Shift");
  await post(server, second, bo, "@ada one");
  await toldAt(page, "@ada one");
  await status({ do_not_disturb: "1" });
  await page.locator(".own-state.busy").waitFor();
  await post(server, second, bo, "@ada two");
  await counted(page, "Second", 2);
  // A page that is opened meanwhile knows it at once, and so does one that comes back.
  await page.reload();
  await settled(page);
  await page.keyboard.press("Shift");
  await page.locator(".own-state.busy").waitFor();
  await post(server, second, bo, "@ada three");
  await counted(page, "Second", 3);
  await status({ do_not_disturb: "" });
  await page.locator(".own-state:not(.busy)").waitFor();
  await post(server, second, bo, "@ada four");
  assert.deepEqual(await toldAt(page, "@ada four"), ["@ada four"]);
  assert.equal(await sounds(page), 1);
}, TIMEOUT);

for (const size of WIDTHS) {
  test(`${size}: quiet hours are set in one tab, hold in another, go by the clock of the place one is in, and end`, async t => {
    const { server, page, bo, ada, general, second } = await scene(t, size, { permission: "granted", timezoneId: undefined });
    t.allow(/status of 422/);
    const far = await page.context().newCDPSession(page), go = timezoneId => far.send("Emulation.setTimezoneOverride", { timezoneId });
    await go("UTC");
    const account = await page.context().newPage();
    await account.goto(`${server.url}/account`);
    await settled(account);
    const hours = account.getByRole("region", { name: "Quiet hours" });
    assert.deepEqual([await hours.getByLabel("From").inputValue(), await hours.getByLabel("To").inputValue()], ["22:00", "07:00"]);
    const on = hours.getByLabel("No notifications in these hours");
    assert.equal(await on.isChecked(), false);
    await assertAccessible(account);
    // What cannot be is said, and what was typed stays.
    await on.check();
    await hours.getByLabel("To").fill("22:00");
    await hours.getByRole("button", { name: "Save" }).click();
    await account.getByRole("alert").filter({ hasText: "they end when they begin" }).waitFor();
    await settled(account);
    assert.equal(await hours.getByLabel("To").inputValue(), "22:00");
    assert(await on.isChecked());
    await hours.getByLabel("From").fill(clock(-60));
    const until60 = clock(60);
    await hours.getByLabel("To").fill(until60);
    await hours.getByRole("button", { name: "Save" }).click();
    await account.getByText("Quiet hours saved.").waitFor();
    assert(await on.isChecked());
    await settled(account);
    // Another tab and the page without a script have it too.
    const list = await page.context().newPage();
    await list.goto(`${server.url}/account`);
    assert.equal(await list.getByLabel("To").inputValue(), await hours.getByLabel("To").inputValue());
    await list.close();
    const { text } = await server.request("/account", { cookie: ada });
    assert(text.includes(`value="${await hours.getByLabel("To").inputValue()}"`) && text.includes("checked=true"));
    await account.close();
    await page.bringToFront();

    await page.keyboard.press("Shift");
    await post(server, second, bo, "@ada in the quiet");
    await counted(page, "Second", 1);
    assert.deepEqual(await notified(page), []);
    await page.locator(".own-state", { hasText: `Quiet until ${until60}` }).waitFor({ state: "attached" });
    // Three hours further east they are over.
    await go("Asia/Baghdad");
    await post(server, second, bo, "@ada in Baghdad");
    assert.deepEqual(await toldAt(page, "@ada in Baghdad"), ["@ada in Baghdad"]);
    await go("UTC");
    await post(server, second, bo, "@ada at home");
    await counted(page, "Second", 3);
    assert.equal((await notified(page)).length, 1);
    // Hours pass, as in a sleep: it is told again.
    await page.evaluate(() => { const now = Date.now; Date.now = () => now() + 65 * 60_000; });
    await until(async () => {
      await post(server, second, bo, "@ada in the morning");
      await page.waitForTimeout(1000);
      return (await bodies(page)).some(body => body === "@ada in the morning" || /^One names you|name you/.test(body));
    }, "it is told when they are over");
    // Set elsewhere, they count here at once; off, they do not.
    await page.goto(`${server.url}/r/${general}`);
    await settled(page);
    await quiet(server, ada, "", clock(-60), clock(60));
    await post(server, second, bo, "@ada without any");
    assert.deepEqual(await toldAt(page, "@ada without any"), ["@ada without any"]);
  }, TIMEOUT);
}

test("a sound comes once with a notification over all tabs, only if it is on, and not where one looks", async t => {
  const { server, page, bo, general, second } = await scene(t, "desktop", { permission: "granted" });
  const other = await page.context().newPage();
  await other.goto(`${server.url}/r/${general}`);
  await settled(other);
  const tabs = [page, other];
  const all = async of => (await Promise.all(tabs.map(of))).flat();
  const sum = async () => (await all(sounds)).reduce((a, b) => a + b, 0);
  const told = body => until(async () => (await all(bodies)).includes(body), `“${body}” is told`);
  // Before the first click or key there is none of ours: the browser's own is left on.
  await post(server, second, bo, "@ada before");
  await told("@ada before");
  assert.equal(await sum(), 0);
  for (const tab of tabs) await tab.keyboard.press("Shift");
  await post(server, second, bo, "@ada once");
  await told("@ada once");
  await until(async () => (await sum()) > 0, "a sound");
  // In the room that is looked at: none; the next one elsewhere comes after it.
  await post(server, general, bo, "@ada here");
  for (const tab of tabs) await row(tab, "@ada here").waitFor();
  await counted(page, "Second", 2);
  await post(server, second, bo, "@ada twice");
  await told("@ada twice");
  assert.deepEqual(await all(bodies).then(all => all.sort()), ["@ada before", "@ada once", "@ada twice"]);
  await until(async () => (await sum()) === 2, "one sound for each");
  // Off in one tab, off in all.
  await other.goto(`${server.url}/account`);
  await settled(other);
  await assertAccessible(other);
  await other.keyboard.press("Shift");
  await other.getByRole("button", { name: "Turn the sound off" }).press("Enter");
  await other.getByText("Without a sound, on this device.").waitFor();
  assert(await other.getByRole("button", { name: "Turn the sound on" }).evaluate(el => el === document.activeElement), "the focus stays");
  const before = await sum();
  await post(server, second, bo, "@ada in silence");
  await told("@ada in silence");
  assert.equal(await sum(), before);
  const silent = await all(tab => tab.evaluate(() => globalThis.notified.map(({ body, silent }) => [body, silent])));
  assert.deepEqual(silent.find(([body]) => body === "@ada in silence"), ["@ada in silence", true]);
  // Kept over a reload, and turned on again it is heard at once.
  await other.reload();
  await settled(other);
  await other.getByText("Without a sound, on this device.").waitFor();
  await other.getByRole("button", { name: "Turn the sound on" }).click();
  await other.getByText("With a sound, on this device.").waitFor();
  assert.equal(await sounds(other), 1);
}, TIMEOUT);

const menu = page => page.getByRole("menu", { name: "Message" });
const why = page => page.getByRole("dialog", { name: /notified$/ });

/** The three ways to a menu. */
const WAYS = {
  async mouse(page, text) {
    await row(page, text).locator(".text").first().click({ button: "right" });
    await menu(page).getByRole("menuitem", { name: "Was I notified?" }).click();
  },
  async keyboard(page, text) {
    await row(page, text).locator(".message").focus();
    await page.keyboard.press("Enter");
    await menu(page).waitFor();
    for (let n = 0; n < 20; n++) {
      if (await menu(page).getByRole("menuitem", { name: "Was I notified?" }).evaluate(el => el === document.activeElement)) break;
      await page.keyboard.press("ArrowDown");
    }
    await page.keyboard.press("Enter");
  },
  async touch(page, text) {
    const touch = await page.context().newCDPSession(page);
    const { x, y, height } = await row(page, text).locator(".text").first().boundingBox();
    await touch.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: [{ x: x + 20, y: y + height / 2 }] });
    await menu(page).waitFor();
    await touch.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
    await menu(page).getByRole("menuitem", { name: "Was I notified?" }).tap();
  },
};

const HERE = "Decided here when it came. Other devices decide for themselves.";
const NOW = "What was decided when it came is not known here. This is what your settings say now.";

for (const [size, ways] of [["desktop", ["mouse", "keyboard"]], ["phone", ["touch", "keyboard"]]]) {
  test(`${size}: one who asks is told why he was notified of a message, or was not`, async t => {
    const { server, page, ada, bo, general, second } = await scene(t, size, { permission: "granted" });
    await post(server, second, bo, "to nobody");
    await counted(page, "Second", 1);
    await post(server, second, bo, "@ada hear");
    await toldAt(page, "@ada hear");
    await server.request("/account/status", { cookie: ada, fields: { text: "", for: "", do_not_disturb: "1" } });
    await page.locator(".own-state.busy").waitFor({ state: "attached" });
    await post(server, second, bo, "@ada hush");
    await counted(page, "Second", 2);
    await server.request("/account/status", { cookie: ada, fields: { text: "", for: "", do_not_disturb: "" } });
    await page.locator(".own-state:not(.busy)").waitFor({ state: "attached" });
    await post(server, general, bo, "@ada in front of you");
    await row(page, "in front of you").waitFor();
    await post(server, general, ada, "My own words");
    await row(page, "My own words").waitFor();

    const says = async (way, text, head, reason, ground) => {
      await WAYS[way](page, text);
      // It is decided a moment after it is on the screen: what is open says so then.
      const said = () => why(page).locator("h2, p").allTextContents();
      await until(async () => (await said()).join() === [head, reason, ground].join(), `${text} by ${way}`).catch(async () => assert.deepEqual(await said(), [head, reason, ground], `${text} by ${way}`));
      await assertAccessible(page);
      if (size === "phone") assert.equal(await why(page).evaluate(el => Math.round(el.getBoundingClientRect().bottom)), SIZES.phone.viewport.height);
      if (way === "keyboard") await page.keyboard.press("Escape");
      else await why(page).getByRole("button", { name: "Close" })[way === "touch" ? "tap" : "click"]();
      await why(page).waitFor({ state: "detached" });
      if (way === "keyboard") assert(await row(page, text).locator(".message").evaluate(el => el === document.activeElement), "the focus is where it was");
    };
    const looking = ["You were not notified", "You had it in front of you.", HERE];
    for (const way of ways) await says(way, "in front of you", ...looking);
    // Of one's own words nobody asks.
    await row(page, "My own words").locator(".message").focus();
    await page.keyboard.press("Enter");
    await menu(page).waitFor();
    assert.equal(await menu(page).getByRole("menuitem", { name: "Was I notified?" }).count(), 0);
    await page.keyboard.press("Escape");

    await openRoom(page, size, "Second");
    for (const way of ways) {
      await says(way, "@ada hear", "You were notified", "It mentions you.", HERE);
      await says(way, "to nobody", "You were not notified", "It does not mention you. The menu of the room lets you hear of everything.", HERE);
      await says(way, "@ada hush", "You were not notified", "Your status is “Do not disturb”. Your own menu changes that.", HERE);
    }
    // A page that was not there does not say that it knows.
    await page.reload();
    await settled(page);
    for (const way of ways) {
      await says(way, "@ada hush", "You would be notified", "It mentions you.", NOW);
    }
    await quiet(server, ada, "1", clock(-60), clock(60));
    await until(async () => {
      await WAYS[ways[0]](page, "@ada hush");
      const [head] = await why(page).locator("h2").allTextContents();
      if (head === "You would not be notified") return true;
      await page.keyboard.press("Escape");
      return false;
    }, "the hours have come");
    assert.equal(await why(page).locator("#why-reason").textContent(), "It came in your quiet hours.");
    await why(page).getByRole("link", { name: "Settings" }).click();
    await page.getByRole("heading", { name: "Quiet hours" }).waitFor();
  }, TIMEOUT);
}

test("an answer in a thread that one follows is told as its room is heard, leads to its place, and goes once it is read elsewhere", async t => {
  const { server, page, ada, bo, general, second } = await scene(t, "desktop", { permission: "granted" });
  const hear = level => server.request(`/r/${second}/want`, { cookie: ada, fields: { level } });
  const question = await post(server, second, ada, "A question of Ada's");
  const theirs = await post(server, second, bo, "A question of Bo's");
  const answer = (to, text, also = "") => post(server, second, bo, text, { to, also });
  await counted(page, "Second", 1);
  // By mentions: what names her, in a thread that she follows and in one that she does not.
  await answer(question, "for nobody");
  await answer(theirs, "for nobody there");
  await counted(page, "Second", 2);
  assert.deepEqual(await notified(page), []);
  await answer(question, "@ada, here");
  await toldAt(page, "@ada, here");
  await answer(theirs, "@ada, there");
  await toldAt(page, "@ada, there");
  const places = await page.evaluate(() => globalThis.notified.map(({ title, tag }) => [title, tag.replace(/^[a-z]{10}\/\d+:/, "lane:")]));
  assert.deepEqual(places, [["Bo Lind in a thread in Second", "lane:2"], ["Bo Lind in a thread in Second", "lane:2"]]);
  // Everything: each answer of those that she follows by now; what is in the room too is told once.
  await hear("all");
  await page.locator(".room-link", { hasText: "Second" }).waitFor();
  await answer(question, "for all of us");
  await toldAt(page, "for all of us");
  await answer(question, "for the room too", "1");
  await toldAt(page, "for the room too");
  await answer(theirs, "and more");
  assert.equal((await toldAt(page, "and more")).length, 5, "each once");
  // It leads to the answer in its thread, where what comes is not told.
  await page.evaluate(() => globalThis.notified[0].onclick());
  await page.locator(".thread .row.found, .thread .row:focus-within").filter({ hasText: "@ada, here" }).waitFor();
  assert.match(new URL(page.url()).pathname, new RegExp(`^/r/${second}/thread/\\d+/2$`));
  await answer(question, "in front of you");
  await row(page, "in front of you").waitFor();
  await answer(theirs, "in the other one");
  assert.equal((await toldAt(page, "in the other one")).length, 6);
  // What is read here is closed; what was told of the other thread stays until it is read on another device.
  const open = async () => (await notified(page)).filter(({ open }) => open).map(({ body }) => body);
  await until(async () => !(await open()).some(body => ["@ada, here", "for all of us"].includes(body)), "what is read goes");
  assert((await open()).includes("in the other one"));
  const elsewhere = await t.page(server, `/r/${second}`, { ...SIZES.desktop, login: ada });
  await settled(elsewhere);
  await elsewhere.locator(".row").filter({ hasText: "A question of Bo's" }).locator(".thread-link").click();
  await elsewhere.locator(".thread .row").filter({ hasText: "in the other one" }).waitFor();
  await elsewhere.bringToFront();
  await until(async () => (await open()).length === 0, "what was read elsewhere goes", 60_000);
  // One who asks is told, in the thread.
  const says = async (text, head, reason) => {
    await page.locator(".thread .row").filter({ hasText: text }).locator(".text").first().click({ button: "right" });
    await menu(page).getByRole("menuitem", { name: "Was I notified?" }).click();
    await until(async () => (await why(page).locator("h2, #why-reason").allTextContents()).join() === [head, reason].join(), text);
    await assertAccessible(page);
    await why(page).getByRole("button", { name: "Close" }).click();
  };
  await page.bringToFront();
  await says("@ada, here", "You were notified", "It mentions you.");
  await says("for nobody", "You were not notified", "It does not mention you. The menu of the room lets you hear of everything.");
  await says("for all of us", "You were notified", "You want to hear of everything in this room.");
  await says("in front of you", "You were not notified", "You had it in front of you.");
  await page.goto(`${server.url}/r/${general}`);
}, TIMEOUT);
