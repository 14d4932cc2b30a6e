// What is on the screen stays where it is, whatever comes before, after or around it; the newest row is followed where
// it is in view, and any row can be reached.

import assert from "node:assert/strict";
import { LONG, NO_SERVER, box, offline, post, roomsByName, row, run, say, settled } from "./room.mjs";
import { SIZES, test, until } from "./support.mjs";

const TIMEOUT = { timeout: 180_000 };

/** A demo, Lena's login, Tomáš's, and paths by name of room. */
async function scene(t) {
  const server = await t.server({ demo: true });
  const [lena, tomas] = [await server.enter(server.links[0].path), await server.enter(server.links[1].path)];
  return { server, lena, tomas, rooms: await roomsByName(server, lena) };
}

async function opened(t, { server, lena }, path, options) {
  const page = await t.page(server, path, { login: lena, ...options });
  await settled(page);
  await page.evaluate(() => document.fonts.ready);
  return page;
}

const ordinals = page => page.locator(".timeline > .row[data-ordinal]").evaluateAll(all => all.map(li => Number(li.dataset.ordinal)));
const newest = page => page.locator("a.newest");
const fromBottom = page => page.locator(".scroll").evaluate(el => Math.abs(Math.round(el.scrollTop)));
const painted = page => page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))));

/** As a wheel would; answers once the page has heard of it. */
async function scrollBy(page, dy) {
  await page.locator(".scroll").evaluate((el, dy) => el.scrollBy(0, dy), dy);
  await painted(page);
}

/**
 * Marks the first row whose text is seen whole, and looks where its text is painted after every frame from now on; answers
 * with a function that tells { ordinal, frames, moved: the farthest in px, gone }.
 */
async function mark(page) {
  await page.evaluate(() => {
    globalThis.marked?.stop();
    const el = document.querySelector(".scroll");
    const view = el.getBoundingClientRect();
    const rows = [...document.querySelectorAll(".timeline > .row[data-ordinal]")];
    // Of two that stand in view one moves when the upper one's lines break elsewhere: the first text that begins in it stays.
    const seen = rect => rect.top >= view.top && rect.bottom <= view.bottom;
    const li = rows.find(li => seen(li.querySelector(".text").getBoundingClientRect()));
    const text = li.querySelector(".text");
    const top = text.getBoundingClientRect().top;
    const about = () => {
      const lines = [...li.parentNode.children].slice(Math.max(0, [...li.parentNode.children].indexOf(li) - 3)).slice(0, 6);
      const places = lines.map(line => `${line.id} ${line.className}: ${line.getBoundingClientRect().top}+${line.offsetHeight}`);
      return `${innerWidth} x ${innerHeight}, scrolled ${el.scrollTop} of ${el.scrollHeight}; ${places.join("; ")}`;
    };
    const told = { ordinal: Number(li.dataset.ordinal), frames: 0, moved: 0, gone: false, was: about(), then: "" };
    let going = true;
    // The one way to be told of a place as it is painted: after observers of sizes have done what they do.
    const look = ([{ boundingClientRect }]) => {
      if (!going) return;
      told.frames += 1;
      const by = Math.abs(boundingClientRect.top - top);
      if (!text.isConnected) told.gone = true;
      else if (by > told.moved) Object.assign(told, { moved: by, then: about() });
    };
    const frame = () => {
      const once = new IntersectionObserver((entries, self) => (self.disconnect(), look(entries)));
      once.observe(text);
      if (going) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    globalThis.marked = { told, stop: () => (going = false) };
  });
  return async () => {
    await painted(page);
    return page.evaluate(() => globalThis.marked.told);
  };
}

async function unmoved(told, what) {
  const { ordinal, frames, moved, gone, was, then } = await told();
  assert(frames > 0, what);
  assert(!gone, `${what}: #${ordinal} is gone`);
  assert(moved <= 1, `${what}: #${ordinal} moved by ${moved.toFixed(1)} px\nat first: ${was}\nthen: ${then}`);
}

/** The newest row is seen whole, and nothing hides it. */
async function atNewest(page, ordinal, what = "") {
  const seen = async () => {
    const found = await page.evaluate(n => {
      const li = document.getElementById(`m-${n}`);
      if (!li) return "not there";
      const [own, view] = [li.getBoundingClientRect(), document.querySelector(".scroll").getBoundingClientRect()];
      return own.bottom <= view.bottom + 1 && own.bottom > view.top ? "" : `at ${own.bottom} of ${view.bottom}`;
    }, ordinal);
    if (!found) return true;
    seen.last = found;
    return false;
  };
  await until(seen, `#${ordinal} is seen ${what}`).catch(fault => {
    throw new Error(`${fault.message}: ${seen.last}`);
  });
}

test("twenty older pages: the row one looks at does not move", async t => {
  const now = await scene(t);
  const page = await opened(t, now, now.rooms.Deploys);
  let pages = 0;
  for (let first = (await ordinals(page))[0]; pages < 20; ) {
    // Near the oldest row, but not at it: that is where older ones are asked for.
    const told = await page.locator(".scroll").evaluate(el => el.scrollTo(0, -(el.scrollHeight - el.clientHeight - 300))).then(() => mark(page));
    await until(async () => (await ordinals(page))[0] < first, `rows before #${first} come`);
    await painted(page);
    await unmoved(told, `older page ${pages + 1}`);
    pages += Math.round((first - (await ordinals(page))[0]) / 50);
    first = (await ordinals(page))[0];
  }
  const seen = await ordinals(page);
  assert.deepEqual(seen, run(seen[0], seen.at(-1)), "no hole");
  // Of more than a thousand rows, those far away were let go.
  assert(seen.length <= 600, `${seen.length} rows are held`);
  // And back down again, page by page, to the newest.
  for (let steps = 0; (await ordinals(page)).at(-1) < 10_000; steps++) {
    assert(steps < 60, "it gets there");
    const last = (await ordinals(page)).at(-1);
    await page.locator(".scroll").evaluate(el => el.scrollTo(0, -300));
    const told = await mark(page);
    await until(async () => (await ordinals(page)).at(-1) > last, `rows after #${last} come`);
    await unmoved(told, `newer than #${last}`);
  }
  const back = await ordinals(page);
  assert.deepEqual(back, run(back[0], 10_000));
}, TIMEOUT);

test("older rows that come while one looks at the oldest: the day it stands under, its head and its text", async t => {
  const now = await scene(t);
  const way = await t.proxy(now.server);
  let pages = 0;
  let heads = 0;
  for (const path of Object.values(now.rooms)) {
    const page = await t.page(way, path, { login: now.lena });
    await settled(page);
    for (let more = 3; more && (await ordinals(page))[0] > 1; more--) {
      const first = (await ordinals(page))[0];
      way.freeze();
      await page.locator(".scroll").evaluate(el => el.scrollTo(0, -el.scrollHeight));
      await painted(page);
      const head = page.locator(`#m-${first} .byline`);
      const had = await head.count();
      const told = await mark(page);
      assert.equal((await told()).ordinal, first, path);
      way.mend();
      await until(async () => (await ordinals(page))[0] < first, `rows before #${first} come`);
      await painted(page);
      await unmoved(told, `${path}: rows before #${first}`);
      heads += had - (await head.count());
      pages += 1;
    }
    await page.close();
  }
  assert(pages >= 10, `${pages} pages`);
  assert(heads > 0, "some row lost its head to the row above it");
  assert(way.counts.frozen > 0, JSON.stringify(way.counts));
}, TIMEOUT);

test("twenty messages come while one reads above", async t => {
  const now = await scene(t);
  const page = await opened(t, now, now.rooms.General);
  await scrollBy(page, -1200);
  const told = await mark(page);
  for (const n of run(1, 20)) {
    await post(now.server, now.rooms.General.split("/")[2], now.tomas, n % 3 ? `Line ${n}` : `\`\`\`\nfour\nlines\nof\ncode ${n}\n\`\`\``);
    await page.locator(`#m-${900 + n}`).waitFor({ state: "attached" });
    await unmoved(told, `message ${n}`);
  }
}, TIMEOUT);

test("hundreds come at once, after a cut, while one reads above", async t => {
  t.allow(...NO_SERVER);
  const now = await scene(t);
  const way = await t.proxy(now.server);
  const page = await t.page(way, now.rooms.General, { login: now.lena });
  await settled(page);
  await scrollBy(page, -1200);
  const told = await mark(page);
  way.cut();
  await offline(page);
  const room = now.rooms.General.split("/")[2];
  for (const n of run(1, 350)) await post(now.server, room, now.tomas, `Line ${n}`);
  way.mend();
  await page.locator(".chip").filter({ hasText: "1,250" }).waitFor({ timeout: LONG });
  await painted(page);
  await unmoved(told, "350 messages");
  await newest(page).click();
  await atNewest(page, 1250);
  assert(way.counts.cut > 0, JSON.stringify(way.counts));
}, TIMEOUT);

test("twenty sizes of the window, and a box that grows", async t => {
  const now = await scene(t);
  const page = await opened(t, now, now.rooms.General);
  await scrollBy(page, -1500);
  // Widths at which lines break elsewhere, and heights.
  const sizes = run(1, 20).map(n => ({ width: 1280 - (n % 7) * 83, height: 800 - (n % 5) * 70 }));
  let changes = 0;
  const told = await mark(page);
  for (const size of sizes) {
    const before = page.viewportSize();
    await page.setViewportSize(size);
    await painted(page);
    changes += before.width !== size.width || before.height !== size.height ? 1 : 0;
    await unmoved(told, JSON.stringify(size));
  }
  assert.equal(changes, 20);
  const grown = await mark(page);
  const height = () => box(page).evaluate(el => el.getBoundingClientRect().height);
  const low = await height();
  for (const n of run(1, 12)) {
    await box(page).fill(Array.from({ length: n }, (_, k) => `Line ${k}`).join("\n"));
    await unmoved(grown, `${n} lines in the box`);
  }
  assert((await height()) > low + 100, "it grew");
  await box(page).fill("");
  await unmoved(grown, "an empty box again");
}, TIMEOUT);

test("at the newest row, sizes and a growing box keep it in view", async t => {
  const now = await scene(t);
  const page = await opened(t, now, now.rooms.General);
  await atNewest(page, 900, "at first");
  for (const n of run(1, 20)) {
    await page.setViewportSize({ width: 1280 - (n % 7) * 83, height: 800 - (n % 5) * 70 });
    await painted(page);
    await atNewest(page, 900, `at size ${n}`);
  }
  for (const n of run(1, 12)) {
    await box(page).fill(Array.from({ length: n }, (_, k) => `Line ${k}`).join("\n"));
    await painted(page);
    await atNewest(page, 900, `with ${n} lines in the box`);
  }
}, TIMEOUT);

test("a keyboard comes and goes on a phone", async t => {
  const now = await scene(t);
  const page = await opened(t, now, now.rooms.General, SIZES.phone);
  const { width, height } = SIZES.phone.viewport;
  const keyboard = async up => {
    await page.setViewportSize({ width, height: up ? height - 336 : height });
    await painted(page);
    const seen = await page.evaluate(() => {
      const own = document.querySelector(".composer").getBoundingClientRect();
      return { bottom: own.bottom, top: own.top, view: innerHeight, scrolled: scrollY };
    });
    assert(seen.top >= 0 && seen.bottom <= seen.view + 1 && seen.scrolled === 0, `the box is seen: ${JSON.stringify(seen)}`);
  };
  await box(page).tap();
  for (const round of run(1, 5)) {
    await keyboard(true);
    await atNewest(page, 900, `with the keyboard, ${round}`);
    await keyboard(false);
    await atNewest(page, 900, `without, ${round}`);
  }
  await scrollBy(page, -1200);
  const told = await mark(page);
  for (const round of run(1, 5)) {
    await keyboard(true);
    await unmoved(told, `with the keyboard, ${round}`);
    await keyboard(false);
    await unmoved(told, `without, ${round}`);
  }
}, TIMEOUT);

test("the newest rows of a big room are there without a script", async t => {
  const { server, lena, rooms } = await scene(t);
  for (const size of Object.values(SIZES)) {
    const page = await t.page(server, rooms.Deploys, { login: lena, javaScriptEnabled: false, ...size });
    const [own, view] = [await row(page, "deploy 10000 of web").boundingBox(), await page.locator(".scroll").boundingBox()];
    assert(own.y >= view.y && own.y + own.height <= view.y + view.height + 1, JSON.stringify({ own, view }));
    // Links to single messages show them too.
    for (const n of [1, 5000, 10_000]) {
      await page.goto(`${server.url}${rooms.Deploys}/${n}`);
      assert.equal(await page.locator(`#m-${n}`).count(), 1, `#${n}`);
      assert.match(await page.locator(`#m-${n}`).textContent(), new RegExp(`deploy ${n} of web`));
    }
  }
}, TIMEOUT);

test("to the first, to one in the middle, and to the newest", async t => {
  const now = await scene(t);
  for (const n of [1, 5000, 9990, 4001, 5000, 1]) {
    const page = await opened(t, now, `${now.rooms.Deploys}/${n}`);
    await page.locator(`#m-${n}.found`).waitFor();
    const seen = await page.evaluate(n => {
      const [own, view] = [document.getElementById(`m-${n}`), document.querySelector(".scroll")].map(el => el.getBoundingClientRect());
      return { own: [own.top, own.bottom], view: [view.top, view.bottom] };
    }, n);
    assert(seen.own[0] >= seen.view[0] && seen.own[1] <= seen.view[1], `#${n} is seen: ${JSON.stringify(seen)}`);
    if (n === 1) assert.equal((await ordinals(page))[0], 1);
    const told = await mark(page);
    await painted(page);
    await unmoved(told, `beside #${n}`);
    if (n < 9000) {
      await newest(page).click();
      await atNewest(page, 10_000, `from #${n}`);
      await until(async () => (await newest(page).count()) === 0, "there is no pill at the newest row");
      const all = await ordinals(page);
      assert.deepEqual(all, run(all[0], 10_000));
    }
  }
}, TIMEOUT);

test("the newest row is followed; above it, a pill counts what came", async t => {
  const now = await scene(t);
  const page = await opened(t, now, now.rooms.General);
  const room = now.rooms.General.split("/")[2];
  for (const n of run(1, 10)) {
    await post(now.server, room, now.tomas, `Followed ${n}`);
    await atNewest(page, 900 + n, "as it comes");
  }
  assert.equal(await fromBottom(page), 0);
  assert.equal(await newest(page).count(), 0);
  await scrollBy(page, -1200);
  const told = await mark(page);
  for (const n of run(1, 3)) await post(now.server, room, now.tomas, `Counted ${n}`);
  await page.locator("#m-913").waitFor({ state: "attached" });
  await unmoved(told, "what came below");
  await newest(page).filter({ hasText: "3 new" }).waitFor();
  await newest(page).click();
  await atNewest(page, 913, "after the pill");
  await until(async () => (await newest(page).count()) === 0, "the pill is gone");
  // What came before does not count again.
  await scrollBy(page, -1200);
  await post(now.server, room, now.tomas, "One more");
  await newest(page).filter({ hasText: /\b1 new/ }).waitFor();
}, TIMEOUT);

test("what one sends is seen, from wherever one sends it", async t => {
  const now = await scene(t);
  const page = await opened(t, now, now.rooms.Deploys);
  await scrollBy(page, -1000);
  await say(page, "From a little above");
  await row(page, "From a little above").waitFor({ timeout: LONG });
  await atNewest(page, 10_001, "after sending");
  // Where the newest rows are not loaded at all.
  await page.goto(`${now.server.url}${now.rooms.Deploys}/5000`);
  await settled(page);
  await say(page, "From the middle");
  await row(page, "From the middle").waitFor();
  await atNewest(page, 10_002, "after sending");
  const all = await ordinals(page);
  assert.deepEqual(all, run(all[0], 10_002));
}, TIMEOUT);

test("from room to room: each at its newest row, as if it had been opened first", async t => {
  const now = await scene(t);
  const page = await opened(t, now, now.rooms.General);
  for (const [name, n] of [["Kitchen", 300], ["General", 900], ["Random", 200], ["Kitchen", 300]]) {
    await page.locator(".sidebar").getByRole("link", { name }).click();
    await page.getByRole("heading", { name, level: 1 }).waitFor();
    await atNewest(page, n, `in ${name}`);
    assert.equal((await ordinals(page)).at(-1), n);
    assert.equal(await box(page).getAttribute("placeholder"), `Write to ${name}`);
  }
  // And by the browser's own arrows.
  for (const [name, n] of [["Random", 200], ["General", 900]]) {
    await page.goBack();
    await page.getByRole("heading", { name, level: 1 }).waitFor();
    await atNewest(page, n, `back in ${name}`);
  }
}, TIMEOUT);
