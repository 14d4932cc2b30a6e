// With the keyboard alone, and for a screen reader: the log is a list that one walks, each message that others write is
// said once, and nothing takes the focus away.

import assert from "node:assert/strict";
import { NO_SERVER, box, complete, offline, online, pending, post, roomsByName, run, say, settled, storedOnce } from "./room.mjs";
import { SIZES, assertAccessible, live, test, until } from "./support.mjs";

const TIMEOUT = { timeout: 120_000 };

/** The ordinal of the focused row; its id, if it is not stored yet; or what else has the focus. */
const focused = page => page.evaluate(() => {
  const el = document.activeElement;
  const li = el.closest(".timeline > .row");
  if (!li || el.localName !== "article") return el.localName + (el.className ? `.${el.className}` : "");
  return li.dataset.ordinal ? Number(li.dataset.ordinal) : li.id;
});

/** Watches the live region from now on; answers with a function that tells { lines, kept }: what was put there, and what was still there when it was painted. */
async function listen(page) {
  await page.evaluate(() => {
    const [lines, kept] = [[], []];
    const texts = node => (node.childElementCount ? [...node.children].map(child => child.textContent) : [node.textContent]);
    new MutationObserver(records => {
      const mine = records.filter(({ target }) => (target.nodeType === Node.TEXT_NODE ? target.parentElement : target)?.closest(".live-region"));
      if (!mine.length) return;
      for (const { type, target, addedNodes } of mine) {
        for (const text of type === "characterData" ? [target.data] : [...addedNodes].map(node => node.textContent)) if (text.trim()) lines.push(text);
      }
      // A screen reader is told no earlier than the screen.
      requestAnimationFrame(() => kept.push(...texts(document.querySelector(".live-region")).filter(text => text.trim())));
    }).observe(document, { subtree: true, childList: true, characterData: true });
    globalThis.saidLines = { lines, kept };
  });
  return () => page.evaluate(() => globalThis.saidLines);
}

/** A page of Ada in General with messages of both, and Bo's login. */
async function scene(t, { messages = 0, way } = {}) {
  t.allow(...NO_SERVER);
  const server = await t.server();
  const login = await server.setUp();
  const bo = await server.join(await server.joinPath(login));
  const { location } = await server.request("/", { cookie: login });
  const room = new URL(location, server.url).pathname.split("/")[2];
  for (const n of run(1, messages)) await post(server, room, n % 3 ? bo : login, `Message ${n}`);
  const through = way ? await t.proxy(server) : server;
  const page = await t.page(through, `/r/${room}`, { login });
  await settled(page);
  return { server, page, login, bo, room, way: through };
}

test("the log is a list of named articles, and one of them is in the tab order", async t => {
  const { page } = await scene(t, { messages: 12 });
  const log = page.getByRole("region", { name: "Messages in General" });
  assert.equal(await log.getByRole("list").first().evaluate(el => el.matches("ol.timeline")), true);
  const articles = log.getByRole("article");
  assert.equal(await articles.count(), 12);
  for (const n of run(1, 12)) {
    const tree = await articles.nth(n - 1).ariaSnapshot();
    assert.match(tree, /^- article "(Ada Ek|Bo Lind) \d\d:\d\d"/, tree);
    assert(tree.includes(`Message ${n}`), tree);
  }
  assert.equal(await page.locator('.timeline [tabindex="0"]:is(article)').count(), 1);
  // The list itself is not live: a screen reader would read it again and again.
  assert.equal(await page.locator(".scroll, .timeline, .timeline *").evaluateAll(all => all.filter(el => el.ariaLive || el.role === "log").length), 0);
}, TIMEOUT);

test("by keys: past the lists, through the log, and back to writing", async t => {
  const { page } = await scene(t, { messages: 12 });
  await page.reload();
  await settled(page);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to writing");
  await page.keyboard.press("Enter");
  assert.equal(await focused(page), "textarea");
  await page.keyboard.press("Shift+Tab");
  assert.equal(await focused(page), 12);
  const walk = [["ArrowUp", 11], ["ArrowUp", 10], ["ArrowDown", 11], ["Home", 1], ["ArrowUp", 1], ["ArrowDown", 2], ["End", 12], ["ArrowDown", 12]];
  for (const [key, n] of walk) {
    await page.keyboard.press(key);
    assert.equal(await focused(page), n, key);
    assert.equal(await page.locator('.timeline article[tabindex="0"]').count(), 1, "one is in the tab order");
    const seen = await page.evaluate(() => {
      const [own, view] = [document.activeElement, document.querySelector(".scroll")].map(el => el.getBoundingClientRect());
      return own.top >= view.top - 1 && own.bottom <= view.bottom + 1;
    });
    assert(seen, `${key}: it is on the screen`);
  }
  // Away and back: to where one was.
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Escape");
  assert.equal(await focused(page), "textarea");
  await page.keyboard.press("Shift+Tab");
  assert.equal(await focused(page), 11);
}, TIMEOUT);

test("through a big room by keys, beyond what is loaded", async t => {
  const server = await t.server({ demo: true });
  const login = await server.enter();
  const { Deploys } = await roomsByName(server, login);
  const page = await t.page(server, Deploys, { login });
  await settled(page);
  await page.locator("#m-10000 article").focus();
  for (let round = 1; round <= 5; round++) {
    await page.keyboard.press("Home");
    const at = await focused(page);
    assert(at <= 10_001 - 50 * round, `Home is #${at}`);
    await until(async () => (await page.locator(`#m-${at - 1}`).count()) === 1, `rows before #${at} come`);
    assert.equal(await focused(page), at, "and the focus stays");
    await page.keyboard.press("ArrowUp");
    assert.equal(await focused(page), at - 1);
  }
}, TIMEOUT);

test("each message of others is said once, one's own are not said", async t => {
  const { server, page, bo, room } = await scene(t, { messages: 3 });
  const region = page.locator('.live-region[aria-live="polite"]');
  assert.equal(await region.count(), 1);
  const hidden = el => getComputedStyle(el).display === "none" || getComputedStyle(el).visibility === "hidden" || Boolean(el.closest("[aria-hidden=true]"));
  assert.equal(await region.evaluate(hidden), false, "a screen reader sees it");
  const said = await listen(page);
  const others = ["One", "Two", "The same", "The same", "Five"];
  for (const [n, text] of others.entries()) {
    await post(server, room, bo, text);
    await page.locator(`#m-${4 + 2 * n}`).waitFor({ state: "attached" });
    await say(page, `Own ${n}`);
    await storedOnce(page, `Own ${n}`);
  }
  const { lines } = await said();
  assert.deepEqual(lines, others.map(text => `Bo Lind: ${text}`));
}, TIMEOUT);

test("what comes all at once is all said", async t => {
  const { server, page, bo, room, way } = await scene(t, { messages: 3, way: true });
  const said = await listen(page);
  way.cut();
  await offline(page);
  const all = ["While you were away", "A second thing", "And a third"];
  for (const text of all) await post(server, room, bo, text);
  await say(page, "My own");
  await pending(page, "My own").waitFor();
  way.mend();
  await online(page);
  await storedOnce(page, "My own");
  await storedOnce(page, all[2]);
  const { lines, kept } = await said();
  const wanted = all.map(text => `Bo Lind: ${text}`);
  for (const line of wanted) assert.equal(lines.join("\n").split(line).length, 2, `“${line}” is put there once: ${JSON.stringify(lines)}`);
  // In one breath or one by one; but none is replaced before it could be read.
  for (const line of wanted) assert(kept.some(text => text.includes(line)), `“${line}” could be read: ${JSON.stringify(kept)}`);
  assert(way.counts.cut > 0, JSON.stringify(way.counts));
}, TIMEOUT);

test("the focused row stays focused while ten messages arrive", async t => {
  const { server, page, bo, room } = await scene(t, { messages: 12 });
  for (const n of [5, 12]) {
    await page.locator(`#m-${n} article`).focus();
    await page.evaluate(() => (document.activeElement.__same = 1));
    const from = await page.locator(".timeline > .row[data-ordinal]").count();
    for (const k of run(1, 10)) {
      await post(server, room, bo, `Message ${from + k}`);
      await page.locator(`#m-${from + k}`).waitFor({ state: "attached" });
      assert.equal(await focused(page), n, `message ${k}`);
    }
    assert.equal(await page.evaluate(() => document.activeElement.__same), 1, "the very same element");
    assert.equal(await page.locator('.timeline article[tabindex="0"]').count(), 1);
  }
  // And while one writes, nothing leaves the box.
  await box(page).focus();
  await post(server, room, bo, "One more");
  await page.locator("#m-33").waitFor({ state: "attached" });
  assert.equal(await focused(page), "textarea");
}, TIMEOUT);

test("a row that becomes a stored one is the same element, and keeps the focus", async t => {
  const { server, page, bo, room, way } = await scene(t, { messages: 3, way: true });
  way.cut();
  await offline(page);
  for (const n of run(1, 3)) await say(page, `Waiting ${n}`);
  await until(async () => (await page.locator(".row.pending").count()) === 3, "three wait");
  await page.evaluate(() => {
    for (const li of document.querySelectorAll(".row.pending")) li.__was = li.textContent.match(/Waiting \d/)[0];
  });
  await pending(page, "Waiting 2").locator("article").focus();
  assert.equal(typeof (await focused(page)), "string", "it has no ordinal yet");
  assert.equal(await page.locator(".row.pending article:focus").count(), 1);
  // Others were faster: the rows move, and are still the same.
  await post(server, room, bo, "Faster");
  way.mend();
  await online(page);
  await complete(page, ["Message 1", "Message 2", "Message 3", "Faster", "Waiting 1", "Waiting 2", "Waiting 3"]);
  const rows = await page.evaluate(() => [...document.querySelectorAll(".timeline > .row[data-ordinal]")].filter(li => li.textContent.includes("Waiting")).map(li => [li.textContent.match(/Waiting \d/)[0], li.__was]));
  assert.equal(rows.length, 3);
  assert.deepEqual(rows.filter(([is, was]) => is !== was), [], "each is the element that waited");
  assert.equal(await focused(page), 6, "and the focus is where it was");
  assert(way.counts.cut > 0, JSON.stringify(way.counts));
}, TIMEOUT);

// ---- axe -----------------------------------------------------------------------------------------------------------

const LOOKS = ["desktop", "phone"].flatMap(size => ["light", "dark"].map(colorScheme => ({ size, colorScheme })));

/** Opens every one of [path, act] in every look; all findings are told together. */
async function everywhere(t, server, pages, options = {}) {
  const faults = [];
  let looked = 0;
  for (const { size, colorScheme } of LOOKS) {
    const page = await t.page(server, undefined, { ...options, ...SIZES[size], colorScheme, reducedMotion: "reduce" });
    for (const [path, act] of pages) {
      await page.goto(server.url + path);
      await live(page);
      try {
        await act?.(page);
        await page.evaluate(() => document.fonts.ready);
        await assertAccessible(page);
        looked += 1;
      } catch (fault) {
        faults.push(`${size}, ${colorScheme}, ${path}: ${fault.message}`);
      }
    }
    await page.context().close();
  }
  assert.deepEqual(faults, []);
  assert.equal(looked, LOOKS.length * pages.length);
}

test("axe: the doors", async t => {
  t.allow(/404|410|422/);
  const empty = await t.server();
  await everywhere(t, empty, [["/setup"], ["/setup", async page => {
    await page.getByLabel("Name of your team").fill("Otters");
    await page.getByLabel("Your name").fill("Ada Ek");
    await page.getByLabel("Handle").fill("A!");
    await page.getByLabel("Password").fill("0123456789");
    await page.getByRole("button").first().click();
    await page.getByRole("alert").waitFor();
  }]]);
  const server = await t.server();
  const join = await server.joinPath(await server.setUp());
  await everywhere(t, server, [["/sign-in"], ["/sign-in", async page => {
    await page.getByLabel("Handle").fill("nobody");
    await page.getByLabel("Password").fill("0123456789");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").waitFor();
  }], [join], ["/join/no-such-link"], ["/nowhere"]]);
}, { timeout: 180_000 });

test("axe: the pages inside", async t => {
  t.allow(/404/);
  const server = await t.server({ demo: true });
  const login = await server.enter();
  const rooms = await roomsByName(server, login);
  const open = name => async page => {
    await settled(page);
    await page.locator(name).click();
  };
  await everywhere(t, server, [
    [rooms.General, settled], [`${rooms.General}/300`, settled], [`${rooms.Deploys}/before/500`, settled], ["/rooms", settled],
    ["/unread", settled], ["/account", settled], [rooms.General, open(".room-menu summary")],
    ["/rooms", open("summary.own-row")],
    [rooms.General, open("summary.chip")], ["/nowhere"], ["/r/bcdfghjklm"],
  ], { login });
}, { timeout: 300_000 });

test("axe: quiet, outside, offline with messages that wait", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server();
  const login = await server.setUp();
  const { location } = await server.request("/", { cookie: login });
  const general = new URL(location, server.url).pathname;
  await everywhere(t, server, [[general, settled]], { login });
  const bo = await server.join(await server.joinPath(login));
  const { location: garden } = await server.request("/rooms", { fields: { name: "Garden", topic: "Tools and seeds" }, cookie: login });
  await everywhere(t, server, [[garden, settled]], { login });
  for (const { size, colorScheme } of LOOKS) {
    const text = `It waits, ${size}, ${colorScheme}`;
    const way = await t.proxy(server);
    const page = await t.page(way, general, { login, ...SIZES[size], colorScheme });
    await settled(page);
    await post(server, general.split("/")[2], bo, "With `code`, https://example.org and\n\n```\nlines\n```");
    way.cut();
    await offline(page);
    await box(page).fill(text);
    await page.getByRole("button", { name: "Send" }).click();
    await pending(page, text).waitFor();
    await assertAccessible(page);
    way.mend();
    await online(page);
    await storedOnce(page, text);
    await assertAccessible(page);
    assert(way.counts.cut > 0, JSON.stringify(way.counts));
    await page.context().close();
  }
  await everywhere(t, server, [[garden, live]], { login: bo });
}, { timeout: 180_000 });
