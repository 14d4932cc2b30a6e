// What people see of a room and do in it: shared by the journeys.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { live, until } from "./support.mjs";

export const LONG = 60_000;
/** A browser says so itself when a socket or a page finds no server. */
export const NO_SERVER = [/WebSocket connection to .* failed/, /ERR_CONNECTION_(REFUSED|RESET|CLOSED)/, /ERR_(EMPTY_RESPONSE|SOCKET_NOT_CONNECTED|CONTENT_LENGTH_MISMATCH|INCOMPLETE_CHUNKED_ENCODING)/, /Failed to load resource.*\/api\/v1\/login/];

/** An id as a client makes it. */
export function clientId() {
  const hex = Date.now().toString(16).padStart(12, "0") + "7" + randomBytes(2).toString("hex").slice(1) + "8" + randomBytes(8).toString("hex").slice(1);
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The texts of the stored messages, as the page shows them. */
export const texts = page => page.locator(".timeline > .row[data-ordinal] .text").allTextContents();
export const count = (all, text) => all.filter(one => one === text).length;
export const row = (page, text) => page.locator(".timeline > .row[data-ordinal]").filter({ hasText: text });
export const pending = (page, text) => page.locator(".timeline > .row.pending").filter({ hasText: text });
export const box = page => page.locator(".composer textarea");
export const bar = page => page.getByRole("toolbar", { name: "Message actions" });
export const menu = page => page.getByRole("menu", { name: "Message" });
export const editBox = page => page.getByRole("textbox", { name: "Edit the message" });
export const online = page => page.locator(".own-state.online").waitFor({ state: "attached", timeout: LONG });
export const offline = page => page.locator(".chip.offline").waitFor({ state: "attached", timeout: LONG });
export const roomOf = page => new URL(page.url()).pathname.split("/")[2];
/** As `from` to `to`, both with. */
export const run = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

/** Open, live, and connected. */
export async function settled(page) {
  await live(page);
  await online(page);
}

export async function say(page, text) {
  await box(page).fill(text);
  await box(page).press("Enter");
}

/** Opens the menu of a message by the bar, and chooses. */
export async function choose(page, text, item) {
  await row(page, text).locator(".text").first().hover();
  await bar(page).getByRole("button", { name: "More" }).click();
  await menu(page).getByRole("menuitem", { name: item }).click();
}

export async function edit(page, text, to) {
  await choose(page, text, /^Edit/);
  await editBox(page).fill(to);
  await editBox(page).press("Enter");
}

/** Texts of one line that wait, in the order of the list; without the word about their state. */
export const waiting = page =>
  page.locator(".timeline > .row.pending .text p").evaluateAll(all => all.map(p => p.firstChild.data));

export async function storedOnce(page, text) {
  await row(page, text).first().waitFor({ timeout: LONG });
  await until(async () => (await pending(page, text).count()) === 0, `“${text}” is no longer pending`);
  assert.equal(count(await texts(page), text), 1, `“${text}” is there once`);
}

/** Waits until the page has just these messages, in this order, and none that waits. */
export async function complete(page, all, timeout = LONG) {
  let seen;
  const same = async () => {
    seen = await texts(page);
    return seen.length >= all.length && (await page.locator(".timeline > .row.pending").count()) === 0;
  };
  try {
    await until(same, `${all.length} messages are stored`, timeout);
  } catch (fault) {
    throw new Error(`${fault.message}; there are ${seen.length}, and waiting: ${JSON.stringify(await waiting(page))}`);
  }
  assert.deepEqual(seen, all);
}

/** The page has what a page has that is opened now. */
export async function asFresh(t, server, page, login) {
  const fresh = await t.page(server, new URL(page.url()).pathname, { login });
  await settled(fresh);
  const all = await texts(fresh);
  await complete(page, all);
  await fresh.context().close();
  return all;
}

/** Watches a text in the list from now on; answers with a function that tells the most rows that ever had it at once. */
export async function watchText(page, text) {
  await page.evaluate(text => {
    const most = { all: 0, pending: 0, stored: 0 };
    const look = () => {
      const rows = [...document.querySelectorAll(".timeline > .row")].filter(li => li.textContent.includes(text));
      most.all = Math.max(most.all, rows.length);
      most.pending = Math.max(most.pending, rows.filter(li => li.classList.contains("pending")).length);
      most.stored = Math.max(most.stored, rows.filter(li => li.dataset.ordinal).length);
    };
    new MutationObserver(look).observe(document, { childList: true, subtree: true, characterData: true, attributes: true });
    globalThis.mostRows = most;
  }, text);
  return () => page.evaluate(() => globalThis.mostRows);
}

/** Watches the list from now on; answers with a function that tells which texts of one line ever stood there twice at once. */
export async function watchDoubles(page) {
  await page.evaluate(() => {
    const doubled = new Set();
    const look = () => {
      const seen = new Set();
      for (const p of document.querySelectorAll(".timeline > .row .text p")) {
        const text = p.firstChild?.data ?? "";
        if (seen.has(text)) doubled.add(text);
        seen.add(text);
      }
    };
    new MutationObserver(look).observe(document, { childList: true, subtree: true, characterData: true });
    globalThis.doubledTexts = doubled;
  });
  return () => page.evaluate(() => [...globalThis.doubledTexts]);
}

/** Ada and Bo in General, both live. `way`, if given, stands between both and the server. */
export async function two(t, server, way = server) {
  const ada = await server.setUp();
  const bo = await server.join(await server.joinPath(ada));
  const pages = [await t.page(way, "/", { login: ada }), await t.page(way, "/", { login: bo })];
  for (const page of pages) await settled(page);
  Object.assign(pages, { logins: [ada, bo] });
  return pages;
}

/** A message by the plain form, past every page. */
/** Gives the message's id; an answer has more fields: `to`, `also`. */
export async function post(server, room, cookie, text, more = {}) {
  const id = clientId();
  let answer;
  // An account may send so many forms a second; the same message goes out again.
  for (let tries = 0; tries === 0 || (answer.status === 429 && tries < 120); tries++) {
    if (tries) await new Promise(done => setTimeout(done, 500));
    answer = await server.request(`/r/${room}/post`, { fields: { text, client_id: id, ...more }, cookie });
  }
  assert.equal(answer.status, 303, answer.text.slice(0, 500));
  return id;
}

/** The rooms of a demo by name: { General: "/r/…", … }. */
export async function roomsByName(server, cookie) {
  const { text } = await server.request("/rooms", { cookie });
  const links = text.matchAll(/<a[^>]*href="?(\/r\/[a-z]{10})"?[^>]*>(.*?)<\/a>/gs);
  return Object.fromEntries([...links].map(([, path, inner]) => [inner.replace(/<[^>]*>/g, "").trim(), path]));
}

/**
 * Changes what passes between the page and the server, by kind of frame: `wire[kind]` for what the server says, and
 * `wire.said[kind]` for what the page says; each answers with another frame, or with none. `wire.close` is a code that the
 * socket is closed with once a room is open. Answers with a way to say something to the page.
 */
export async function rewire(page, wire) {
  let open;
  const passed = (by, frame) => (by?.[frame.t] ? by[frame.t](frame) : frame);
  await page.routeWebSocket(/\/ws$/, socket => {
    open = socket;
    const server = socket.connectToServer();
    socket.onMessage(text => {
      const frame = passed(wire.said, JSON.parse(text));
      if (frame) server.send(JSON.stringify(frame));
    });
    server.onMessage(text => {
      const frame = JSON.parse(text);
      if (wire.close && frame.t === "subscribed") return socket.close({ code: wire.close });
      const changed = passed(wire, frame);
      if (changed) socket.send(JSON.stringify(changed));
    });
  });
  return { tell: frame => open.send(JSON.stringify(frame)) };
}
