// What waits to be read: badges, mentions, the way to the first unread message, marks and their undo, the title, the
// list, and notifications. At desktop and phone width; each run ends with an empty console.

import assert from "node:assert/strict";
import { post, row, run, settled } from "./room.mjs";
import { badge, link, notified, openList, openRoom, scene } from "./scene.mjs";
import { SIZES, assertAccessible, test, until } from "./support.mjs";

const TIMEOUT = { timeout: 120_000 };
const WIDTHS = ["desktop", "phone"];

const hasTitle = (page, text) => until(async () => (await page.title()) === text, `the title is ${text}`);
const icon = page => page.locator('link[rel="icon"]').getAttribute("href");

const allRead = async (server, cookie) => /You have read everything/.test((await server.request("/unread", { cookie })).text);

for (const size of WIDTHS) {
  test(`${size}: a badge comes with what others write, tells mentions apart, and goes once it is read`, async t => {
    const { server, page, ada, bo, second } = await scene(t, size);
    assert.equal(await icon(page), "/favicon.svg");
    await post(server, second, ada, "My own words");
    await post(server, second, bo, "Hello there");
    await until(async () => (await badge(page, "Second").textContent().catch(() => "")) === "1", "one is unread");
    await hasTitle(page, "\u2022 General");
    assert.equal(await icon(page), "/favicon-unread.svg");
    assert.equal(await badge(page, "Second").getAttribute("class"), "count");
    await post(server, second, bo, "@ada look, and `@ada` is code");
    await badge(page, "Second").and(page.locator(".mention")).waitFor({ state: "attached" });
    assert.equal(await badge(page, "Second").textContent(), "1");
    await hasTitle(page, "(1) General");
    assert.equal(await icon(page), "/favicon-mention.svg");
    await openRoom(page, size, "Second");
    const mine = row(page, "@ada look");
    await mine.waitFor();
    assert(await mine.evaluate(li => li.matches(".to-me")), "the row is for me");
    assert.deepEqual(await mine.locator(".mention.me").allTextContents(), ["@ada"]);
    await badge(page, "Second").waitFor({ state: "detached" });
    await hasTitle(page, "Second");
    assert.equal(await icon(page), "/favicon.svg");
    // In the room that one reads nothing counts, and the server knows.
    await post(server, second, bo, "And one more");
    await row(page, "And one more").waitFor();
    await until(() => allRead(server, ada), "it is read on the server");
    assert.equal(await page.title(), "Second");
  }, TIMEOUT);

  test(`${size}: the way leads to the first unread message over pages that are not loaded, and back to the newest`, async t => {
    const { page } = await scene(t, size, { messages: 130 });
    await openRoom(page, size, "Second");
    await row(page, "Message 130").waitFor();
    const way = page.locator(".first-unread a");
    await way.filter({ hasText: "99+ unread" }).waitFor();
    assert.equal(await page.locator('.row[data-ordinal="1"]').count(), 0);
    await way.click();
    await page.locator(".day.new").waitFor();
    await until(() => page.locator(".timeline").evaluate(ol => {
      const first = [...ol.children].find(li => li.dataset.ordinal === "1"), r = first?.getBoundingClientRect();
      return Boolean(r) && r.top >= 0 && r.bottom <= innerHeight;
    }), "the first message is on the screen");
    assert.equal(await page.locator(".day.new + .row").getAttribute("data-ordinal"), "1");
    await way.waitFor({ state: "detached" });
    await page.locator(".newest").click();
    await row(page, "Message 130").waitFor();
    await until(() => row(page, "Message 130").evaluate(li => li.getBoundingClientRect().bottom <= innerHeight), "the newest is on the screen");
  }, TIMEOUT);

  test(`${size}: a page that is loaded for the first time shows the way, too, where the first unread message is above the screen`, async t => {
    const { server, ada, second } = await scene(t, size, { messages: 40 });
    // On a slow machine its rows come bit by bit: for a moment the line is on the screen, with what little there is below it.
    const page = await t.page(server, undefined, { ...SIZES[size], login: ada });
    const slow = await page.context().newCDPSession(page);
    await slow.send("Emulation.setCPUThrottlingRate", { rate: 20 });
    await page.goto(`${server.url}/r/${second}`);
    await slow.send("Emulation.setCPUThrottlingRate", { rate: 1 });
    await settled(page);
    await page.locator(".first-unread a").filter({ hasText: "40 unread" }).click();
    await until(() => page.locator(".day.new").evaluate(li => li.getBoundingClientRect().top >= 0), "the line is on the screen");
    await page.locator(".first-unread").waitFor({ state: "detached" });
  }, TIMEOUT);

  test(`${size}: rooms are marked as read at once, one undo brings it back, and the list works without a script`, async t => {
    const { server, page, ada, bo, second } = await scene(t, size, { messages: 3 });
    const made = await server.request("/rooms", { cookie: bo, fields: { name: "Third", topic: "" } });
    const third = new URL(made.location, server.url).pathname.split("/")[2];
    await server.request(`/r/${third}/join`, { cookie: ada, fields: {} });
    await post(server, third, bo, "@room hello all");
    await openList(page, size);
    await page.locator(".unread-link").click();
    await page.getByRole("heading", { name: "Mentions" }).waitFor();
    await page.locator(".mention-line", { hasText: "@room hello all" }).waitFor();
    await page.getByText("2 rooms, 1 mention of you").waitFor();
    await assertAccessible(page);
    await page.getByRole("button", { name: "Mark all as read" }).click();
    await page.getByText("You have read everything.").waitFor();
    await until(() => allRead(server, ada), "the server knows");
    await page.locator(".marked").getByRole("button", { name: "Undo" }).click();
    await page.getByText("2 rooms, 1 mention of you").waitFor();
    await until(async () => !(await allRead(server, ada)), "the server knows of the undo");
    assert.equal(await page.locator(".marked p").count(), 0);
    // Without a script: the same page, and its forms.
    const { text } = await server.request("/unread", { cookie: ada });
    assert(text.includes("@room") && text.includes(`action="/unread/read"`) && text.includes(`name="${second}"`));
    await server.request("/unread/read", { cookie: ada, fields: { [second]: "3" } });
    await page.getByText("1 room, 1 mention of you").waitFor();
    await page.locator(".mention-line .where").click();
    await page.locator(".room-name", { hasText: "Third" }).waitFor();
  }, TIMEOUT);
}

test("two tabs show the same, and what is read in one is read in the other", async t => {
  const { server, page, ada, bo, general, second } = await scene(t, "desktop", { messages: 2 });
  const other = await t.page(server, `/r/${general}`, { ...SIZES.desktop, login: ada });
  await settled(other);
  for (const one of [page, other]) await until(async () => (await badge(one, "Second").textContent()) === "2", "two are unread");
  await other.bringToFront();
  await openRoom(other, "desktop", "Second");
  await badge(page, "Second").waitFor({ state: "detached" });
  await post(server, second, bo, "Third one");
  await row(other, "Third one").waitFor();
  await badge(page, "Second").waitFor({ state: "detached" });
}, TIMEOUT);

test("by key: from a message on it is unread again, stays so while one looks, and can be taken back", async t => {
  const { server, page, ada, bo, second } = await scene(t, "desktop", { messages: 6 });
  await openRoom(page, "desktop", "Second");
  await until(() => allRead(server, ada), "all is read");
  await row(page, "Message 4").locator("article").focus();
  await page.keyboard.press("u");
  await until(async () => (await badge(page, "Second").textContent().catch(() => "")) === "3", "three are unread");
  await page.getByText("Second stays unread until you come back to it.").waitFor();
  assert.equal(await page.locator(".day.new + .row").getAttribute("data-ordinal"), "4");
  await until(async () => !(await allRead(server, ada)), "the server knows");
  // What comes is on the screen, and does not undo it.
  await post(server, second, bo, "Message 7");
  await row(page, "Message 7").waitFor();
  await until(async () => (await badge(page, "Second").textContent()) === "4", "four are unread");
  await page.waitForTimeout(1600);
  assert.equal(await badge(page, "Second").textContent(), "4");
  await page.locator(".marked").getByRole("button", { name: "Undo" }).click();
  await openRoom(page, "desktop", "General");
  await until(async () => (await badge(page, "Second").textContent().catch(() => "")) === "1", "only what came since is unread");
  await openRoom(page, "desktop", "Second");
  await until(() => allRead(server, ada), "coming back reads it");
}, TIMEOUT);

test("notifications are offered after a mention, tell one message once, lead to it, and go when it is read elsewhere", async t => {
  const { server, page, ada, bo, general, second } = await scene(t, "desktop", { permission: "default" });
  assert.equal(await page.locator(".offer p").count(), 0, "nothing is asked at load");
  await post(server, second, bo, "Nobody in particular");
  await post(server, second, bo, "@ada first");
  await page.locator(".offer").getByRole("button", { name: "Turn on" }).click();
  await page.locator(".offer p").waitFor({ state: "detached" });
  assert.deepEqual(await notified(page), [], "what came before was not asked for");
  await post(server, second, bo, "@ada second");
  await post(server, second, bo, "not for anybody");
  await until(async () => (await notified(page)).length === 1, "one is told");
  const [told] = await notified(page);
  assert.deepEqual({ ...told, tag: undefined }, { title: "Bo Lind in Second", body: "@ada second", tag: undefined, open: true });
  assert.equal(told.tag, `${second}:3`);
  // Not in the room that one looks at.
  await post(server, general, bo, "@ada here");
  await row(page, "@ada here").waitFor();
  await page.waitForTimeout(1500);
  assert.equal((await notified(page)).length, 1);
  // A click opens the message.
  await page.evaluate(() => globalThis.notified[0].onclick());
  await page.locator(".room-name", { hasText: "Second" }).waitFor();
  await until(() => row(page, "@ada second").evaluate(li => li.getBoundingClientRect().height > 0), "the message is there");
  assert.equal(new URL(page.url()).pathname, `/r/${second}/3`);
  assert.equal((await notified(page))[0].open, false);
  // Read elsewhere: it goes.
  await openRoom(page, "desktop", "General");
  await post(server, second, bo, "@ada third");
  await until(async () => (await notified(page)).at(-1).body === "@ada third", "the third is told");
  await server.request("/unread/read", { cookie: ada, fields: { [second]: "99" } });
  await until(async () => !(await notified(page)).at(-1).open, "it has gone");
}, TIMEOUT);

test("what one hears of a room is set in its menu and travels", async t => {
  const { server, page, ada, bo, second } = await scene(t, "desktop", { permission: "default" });
  await page.goto(`${server.url}/account`);
  await settled(page);
  await page.getByRole("button", { name: "Turn on notifications" }).click();
  await page.getByText("This browser tells you when somebody mentions you").waitFor();
  await openRoom(page, "desktop", "Second");
  await page.locator(".room-menu summary").click();
  await page.getByRole("button", { name: "Everything" }).click();
  await page.locator('[aria-pressed="true"]', { hasText: "Everything" }).waitFor();
  await until(async () => /aria-pressed="true"[^>]*>(<!--[^>]*-->)*Everything/.test((await server.request(`/r/${second}`, { cookie: ada })).text), "the server knows");
  await page.keyboard.press("Escape");
  await openRoom(page, "desktop", "General");
  await post(server, second, bo, "to no one");
  await until(async () => (await notified(page)).at(-1)?.body === "to no one", "everything is told");
  await server.request(`/r/${second}/want`, { cookie: ada, fields: { muted: "1" } });
  await link(page, "Second").and(page.locator(".muted")).waitFor();
  await post(server, second, bo, "to no one again");
  await page.waitForTimeout(1500);
  assert.equal((await notified(page)).at(-1).body, "to no one");
  assert.equal(await page.title(), "General");
  await post(server, second, bo, "@ada all the same");
  await badge(page, "Second").and(page.locator(".mention")).waitFor();
  assert.equal((await notified(page)).at(-1).body, "to no one");
}, TIMEOUT);
