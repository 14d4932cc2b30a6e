// Pictures of every page at three sizes, light and dark, into target/look/<state>-<size>-<theme>.png; exit 1 on any
// console error. `node e2e/look.mjs [word …]` takes only those whose name contains one of the words.
//
// A state is a line of STATES. It names the server (fresh: nothing set up; alone: one account; demo), who looks, and the
// path; `act` does what a link cannot. A new state is a new line.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { cuttingProxy } from "./proxy.mjs";
import { rewire } from "./room.mjs";
import { closeBrowser, live, openPage, Server, SIZES, target, until } from "./support.mjs";

const STATES = [
  { name: "first-run", server: "fresh", path: "/setup" },
  { name: "alone", server: "alone", login: true, path: "/" },
  { name: "join", server: "alone", path: at => at.join },
  { name: "sign-in", server: "demo", path: "/sign-in" },
  { name: "full-room", server: "demo", login: true, path: at => at.room },
  { name: "big-room", server: "demo", login: true, path: at => at.bigRoom },
  { name: "rooms", server: "demo", login: true, path: "/rooms", sizes: ["desktop", "tablet"] },
  { name: "room-refused", server: "demo", login: true, allow: /422/, path: "/rooms", act: async page => { await page.getByLabel("Name").fill("General"); await page.getByLabel("Topic").fill("What goes out & when"); await page.getByLabel("Name").press("Enter"); await page.getByRole("alert").waitFor(); } },
  { name: "status-refused", server: "demo", login: true, allow: /422/, path: "/account", sizes: ["desktop", "tablet"], script: false, act: async page => { await page.locator("details.own summary").click(); await page.locator("#says").evaluate(field => field.removeAttribute("maxlength")); await page.locator("#says").fill("x".repeat(90)); await page.locator("#says").press("Enter"); await page.getByRole("alert").waitFor(); } },
  { name: "dead-join-link", server: "demo", allow: /410/, path: "/join/no-such-link" },
  // Below 720 px the list of rooms is a page of its own.
  { name: "list", server: "demo", login: true, path: "/rooms", sizes: ["phone"] },
  // What the room says of itself. The frames on the way are changed where a server would do so only in need.
  { name: "older", server: "demo", login: true, path: at => at.bigRoom, wire: { page: frame => (frame.req > 0 && opened(frame) ? null : frame) }, act: older },
  { name: "offline", server: "demo", login: true, path: at => at.room, way: true, act: offline },
  { name: "sign-out-warning", server: "demo", login: true, path: at => at.room, way: true, act: async (page, at) => { await offline(page, at); await menu(page); } },
  { name: "not-sent", server: "demo", login: true, path: at => at.room, wire: { ack: refuse, event: frame => (frame.event.body?.text === "Not for this room" ? null : frame) }, act: async page => { await say(page, "Not for this room"); await page.locator(".card.unsent").waitFor(); } },
  { name: "question", server: "demo", login: true, path: at => at.room, left: 20 * 60_000, act: page => page.locator("li.row.failed").waitFor() },
  { name: "filling", server: "demo", login: true, path: at => at.room, wire: { event: late, events: () => null }, act: async (page, at) => { for (const n of [1, 2, 3]) await post(at, `Number ${n}`); await page.locator("li.hole").waitFor(); } },
  { name: "catching-up", server: "demo", login: true, path: at => at.room, wire: { subscribed: frame => ({ ...frame, head: { ...frame.head, seq: frame.head.seq + 210 } }) }, act: async (page, at) => { for (const n of [1, 2, 3]) await post(at, `Meanwhile ${n}`); await page.locator(".chip.loading").waitFor(); } },
  { name: "caught-up", server: "demo", login: true, path: at => at.bigRoom, wire: () => ({ subscribed: once(frame => ({ t: "reset", room: frame.room, why: "far", head: frame.head })), page: much }), act: page => page.locator("#caught-up").waitFor() },
  { name: "reset", server: "demo", login: true, path: at => at.room, wire: () => ({ subscribed: once(frame => ({ t: "reset", room: frame.room, why: "rewritten", head: frame.head })) }), act: page => page.locator("#reset").waitFor() },
  { name: "moving", server: "demo", login: true, path: at => at.room, wire: { subscribed: () => ({ t: "moving", after_ms: 30_000 }) }, act: page => page.locator(".composer.offline").waitFor() },
  { name: "signed-out", server: "demo", login: true, path: at => at.room, wire: { close: 4001 }, act: page => page.locator(".sign-in-again").waitFor() },
  { name: "too-old", server: "demo", login: true, path: at => at.room, wire: { close: 4002 }, act: page => page.locator(".bar").waitFor() },
  { name: "too-many-tabs", server: "demo", login: true, path: at => at.room, wire: { close: 4011 }, act: page => page.locator(".composer-edge .link").waitFor() },
  { name: "piled-marks", server: "demo", login: true, path: at => at.room, act: async (page, at) => { for (const text of ["Before it", `Piled: ${"a\u0301\u0316\u033f".repeat(3)}x${"\u0301\u0316\u033f".repeat(60)}`, "After it"]) await post(at, text); await page.getByText("After it").last().waitFor(); } },
  { name: "stopped", server: "demo", login: true, path: at => at.room, act: page => page.evaluate(() => globalThis.beck.panic()) },
  { name: "new-below", server: "demo", login: true, path: at => at.room, act: async (page, at) => { await page.locator(".scroll").evaluate(el => (el.scrollTop = -900)); await page.waitForTimeout(300); for (const n of [1, 2, 3]) await post(at, `Fresh ${n}`); await page.getByText("3 new").waitFor(); } },
  { name: "unread", server: "demo", login: true, path: at => at.unread },
  { name: "waiting", server: "demo", login: true, path: "/unread", act: async (page, at) => { await named(at); await page.locator(".mention-line").nth(2).waitFor(); } },
  { name: "all-read", server: "demo", login: true, path: "/unread", act: async (page, at) => { await named(at); await page.waitForTimeout(1000); await page.getByRole("button", { name: "Mark all as read" }).click(); await page.locator(".marked p").waitFor(); await page.mouse.move(0, 0); } },
  { name: "mentioned", server: "demo", login: true, path: at => at.room, act: async (page, at) => { await post(at, "@lena, have you seen this? @tomas and I are not sure, and @nobody is a name that none has."); await page.locator(".to-me").first().waitFor(); } },
  { name: "first-unread", server: "demo", login: true, path: at => at.room, act: async (page, at) => { for (let n = 1; n <= 40; n++) await post({ ...at, room: at.unread }, `Finding ${n}`); await page.goto(at.server.url + at.unread); await live(page); await page.locator(".first-unread").waitFor(); } },
  { name: "offer", server: "demo", login: true, path: at => at.room, act: async (page, at) => { await page.addInitScript(() => { globalThis.Notification = class { static permission = "default"; }; }); await page.reload(); await live(page); await page.locator(".own-state.online").waitFor({ state: "attached" }); await post({ ...at, room: at.unread }, "@lena, this one is for you"); await page.locator(".offer p").waitFor(); } },
  { name: "settings", server: "demo", login: true, path: "/account" },
  { name: "settings-notices", server: "demo", login: true, path: "/account", act: async page => { await page.addInitScript(() => { globalThis.Notification = class { static permission = "granted"; }; }); await page.reload(); await live(page); await page.locator("#notices-head").evaluate(el => el.scrollIntoView({ block: "end" })); await page.getByText("This browser tells you").scrollIntoViewIfNeeded(); } },
  { name: "checked", server: "demo", login: true, path: at => at.bigRoom, act: async page => { await page.locator(".own-state.online").waitFor({ state: "attached" }); await page.locator(".chip").click(); await page.getByText("Check from #1").click(); await page.getByText("links agree").waitFor(); } },
  { name: "room-menu", server: "demo", login: true, path: at => at.room, act: page => page.locator(".room-menu summary").click() },
  { name: "actions", server: "demo", login: true, path: at => at.room, sizes: ["desktop"], act: async page => { await page.locator(".row[data-ordinal] .text").last().hover(); await page.locator(".actions").waitFor(); } },
  { name: "message-menu", server: "demo", login: true, path: at => at.room, act: async page => { await gesture(page, "menu"); await page.locator(".menu.floating").waitFor(); } },
  { name: "why", server: "demo", login: true, path: at => at.room, act: async page => { await page.locator(".timeline > .row[data-ordinal]", { hasNot: page.getByText(/^Lena/) }).last().evaluate(li => globalThis.beck.emit("menu", `0 ${li.dataset.ordinal}`)); await page.getByRole("menuitem", { name: "Was I notified?" }).click(); await page.locator(".why").waitFor(); } },
  { name: "picker", server: "demo", login: true, path: at => at.room, act: async page => { await gesture(page, "pick"); await page.locator(".picker").waitFor(); } },
  { name: "editing", server: "demo", login: true, path: at => at.room, act: async page => { await say(page, "Words of my own"); await page.locator(".row[data-ordinal]").filter({ hasText: "Words of my own" }).last().waitFor(); await page.evaluate(() => globalThis.beck.emit("edit-last", "0")); await page.locator(".edit-box").waitFor(); } },
  { name: "edit-not-saved", server: "demo", login: true, path: at => at.room, wire: { ack: refuse, event: frame => (frame.event.header.kind === "act" ? null : frame) }, act: async page => { await say(page, "Words of my own"); await page.locator(".row[data-ordinal]").filter({ hasText: "Words of my own" }).last().waitFor(); await page.evaluate(() => globalThis.beck.emit("edit-last", "0")); await page.locator(".edit-box textarea").fill(`Words that came too late ${Date.now() % 10_000}`); await page.getByRole("button", { name: "Save" }).click(); await page.locator(".card.unsent").waitFor(); } },
  { name: "history", server: "demo", login: true, path: at => at.room, act: async page => { await page.locator("button.edited").last().click(); await page.locator(".history li").nth(1).waitFor(); } },
  { name: "replying", server: "demo", login: true, path: at => at.room, act: async page => { await gesture(page, "reply"); await page.locator(".answers").waitFor(); } },
  { name: "delete-question", server: "demo", login: true, path: at => at.room, act: async page => { await gesture(page, "delete"); await page.locator(".question, .erased .link").first().waitFor(); } },
  { name: "pins", server: "demo", login: true, path: at => at.room, act: async page => { await page.getByLabel("Pinned messages").click(); await page.locator(".pins[open] .pins-panel li").first().waitFor(); } },
  { name: "switcher", server: "demo", login: true, path: at => at.room, act: async page => { await page.keyboard.press("Control+k"); await page.locator(".switcher-line").nth(2).waitFor(); } },
  { name: "switcher-typed", server: "demo", login: true, path: at => at.room, act: async page => { await page.keyboard.press("Control+k"); await page.locator(".switcher-field").fill("re"); await page.locator(".switcher-line", { hasText: "Reading" }).waitFor(); } },
  { name: "keyboard", server: "demo", login: true, path: at => at.room, act: async page => { await page.keyboard.press("Control+/"); await page.locator(".keyboard").waitFor(); } },
  { name: "starred", server: "demo", login: true, path: at => at.room, sizes: ["desktop"], act: async page => { await page.locator(".room-menu summary").click(); const star = page.getByRole("button", { name: "Star this room" }); if (await star.count()) await star.click(); await page.locator("#s-starred").waitFor(); } },
  { name: "thread", server: "demo", login: true, path: at => at.room, act: async page => { await page.locator(".thread-link:not(.also-link)").last().click(); await page.locator(".thread .row").nth(2).waitFor(); await page.waitForTimeout(300); } },
  { name: "thread-writing", server: "demo", login: true, path: at => at.room, act: async page => { await gesture(page, "thread"); await page.locator(".thread .composer textarea").fill("I would rather wait until Monday"); await page.locator(".thread .also input").check(); } },
  { name: "threads", server: "demo", login: true, path: at => at.room, act: async page => { await page.getByLabel(/^Threads/).click(); await page.locator(".threads[open] li").first().waitFor(); } },
  { name: "texts", server: "demo", login: true, path: at => at.room, act: async (page, at) => { await open(page, at, await hard(at)); await page.locator(".first-unread").waitFor({ state: "detached", timeout: 2000 }).catch(() => {}); } },
  { name: "narrow", server: "demo", login: true, path: at => at.room, sizes: ["phone"], viewport: { width: 320, height: 640 }, act: async (page, at) => { await open(page, at, await hard(at)); await page.locator(".room-menu summary").click(); } },
  { name: "narrow-unread", server: "demo", login: true, path: at => at.room, sizes: ["phone"], viewport: { width: 320, height: 640 }, act: async (page, at) => { await hard(at); await page.goto(`${at.server.url}/unread`); await page.locator(".mention-line").first().waitFor(); } },
  { name: "people", server: "demo", login: true, path: at => at.room, act: async page => { await page.locator(".people summary").click(); await page.locator(".person").nth(2).waitFor(); } },
  { name: "own-menu", server: "demo", login: true, path: "/account", sizes: ["desktop"], act: page => page.locator("details.own summary").click() },
  { name: "completions", server: "demo", login: true, path: at => at.room, act: async page => { await page.locator(".composer textarea").pressSequentially("/"); await page.locator(".completions").waitFor(); } },
  { name: "no-script", server: "demo", login: true, path: at => at.room, script: false, act: page => page.locator(".room-menu summary").click() },
  { name: "no-script-menu", server: "demo", login: true, path: at => at.room, sizes: ["desktop"], script: false, act: page => page.locator("details.own summary").click() },
  { name: "forced-colors", server: "demo", login: true, path: at => at.room, sizes: ["desktop"], forcedColors: "active", act: async page => { await gesture(page, "menu"); await page.locator(".menu.floating").waitFor(); } },
  // As printed; a script would take the whole list for what is scrolled to.
  { name: "paper", server: "demo", login: true, path: at => at.room, sizes: ["desktop"], script: false, act: page => page.emulateMedia({ media: "print" }) },
  { name: "permalink", server: "demo", login: true, path: at => `${at.room}/450` },
  { name: "not-found", server: "demo", login: true, path: "/no/such/page", allow: /status of 404/ },
];
/** What is hard to draw, once. */
const HARD = [
  "# A heading\n\nSome **bold**, *slanted*, ~~struck~~ and `code`, https://example.org/a/very/long/path/that/never/ends/and/goes/on/without/any/place/to/break?with=this&and=that\n\n- one\n- two\n  - two and a half\n- [ ] to do\n- [x] done\n\n1. first\n2. second\n\n> a quote of someone\n> over two lines",
  "| Name | Count | What it is |\n|:--|--:|:-:|\n| stream | 12 | a line that is rather long and says a lot about what it is |\n| lane | 1,204 | short |",
  "```rust\nfn main() {\n    let answer = compute(42, \"a long string that goes far past the right edge of anything that one would call narrow, or wide\"); // comment\n}\n```",
  "مرحبا بالجميع، هذه رسالة طويلة مع `code` ورابط https://example.org/path ثم المزيد من النص حتى يلتف السطر.\n\n- أول\n- ثان\n\n> اقتباس من شخص ما",
  "日本語の長い文章です。句読点が行頭に来ないか、`コード` と **太字** がどう見えるかを確かめます。",
  "🎉",
  `@lena ${"Supercalifragilisticexpialidocious".repeat(6)}\n${"A line of many.\n".repeat(12)}`,
  "👍🏽 👏",
];
async function hard(at) {
  if (at.hard) return at.hard;
  const made = await at.server.request("/rooms", { cookie: at.login, fields: { name: "A room with the longest of names", topic: "A topic that goes on and on, as topics do when nobody looks at them for a year or more" } });
  at.hard = new URL(made.location, at.server.url).pathname;
  await at.server.request(`${at.hard}/join`, { cookie: at.other, fields: {} });
  for (const text of HARD) await post({ ...at, room: at.hard }, text);
  return at.hard;
}
async function open(page, at, room) {
  await page.goto(at.server.url + room);
  await live(page);
}
const THEMES = ["light", "dark"];

/** As if a person asked for it at the last message but two. */
function gesture(page, kind) {
  return page.evaluate(kind => {
    const rows = document.querySelectorAll(".timeline > .row[data-ordinal]:not(.erased)");
    globalThis.beck.emit(kind, `0 ${rows[rows.length - 3].dataset.ordinal}`);
  }, kind);
}
function once(change) {
  let done = false;
  return frame => (done ? frame : ((done = true), change(frame)));
}
function opened(frame) {
  return frame.page.rows.length > 0;
}
function refuse(frame) {
  return { ...frame, outcome: { is: "refused", why: "archived" } };
}
/** As if more had been said than is sent event by event. */
function much(frame) {
  const rows = frame.page.rows.map(row => ({ ...row, ordinal: row.ordinal + 4210 }));
  return { ...frame, page: { ...frame.page, head: frame.page.head + 4210, rows } };
}
/** The first of three events is lost on the way. */
let lost = 0;
function late(frame) {
  return frame.event.body?.text?.startsWith("Number 1") && lost++ >= 0 ? null : frame;
}
async function say(page, text) {
  await page.locator(".composer textarea").fill(text);
  // On a touch screen Enter breaks the line.
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator("li.row").filter({ hasText: text }).first().waitFor();
}
async function offline(page, at) {
  at.way.cut();
  await page.locator(".composer.offline").waitFor();
  await say(page, "I am in the train, this may take a moment.");
  await say(page, "So much for the timetable.");
  await page.waitForTimeout(1200);
}
async function menu(page) {
  const own = page.locator("details.own summary");
  // On a phone it stands on the page with the list of rooms.
  if (!(await own.isVisible())) await page.getByRole("link", { name: "All rooms" }).click();
  await own.click();
}
async function older(page) {
  await page.locator(".scroll").evaluate(el => (el.scrollTop = -el.scrollHeight));
  await page.locator(".edge.loading").waitFor();
  await page.waitForTimeout(500);
}
/** Another person writes into the room. */
async function post(at, text) {
  const hex = crypto.randomUUID().replaceAll("-", "");
  const client_id = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
  await at.server.request(`${at.room}/post`, { cookie: at.other, fields: { text, client_id } });
}
/** Another person names the one who looks, in two rooms. */
async function named(at) {
  for (const text of ["@lena, can you take this one?", "It works again.\n\n@room: please reload, the old page keeps the old socket."]) await post({ ...at, room: at.unread }, text);
  await post({ ...at, room: at.bigRoom }, "Thanks @lena! `@lena` in code is nobody's name.");
}
/** A draft that an earlier visit left. */
const leave = ([room, age, me]) => {
  const hex = crypto.randomUUID().replaceAll("-", "");
  const id = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-7${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
  const kept = { draft: { id, room, text: "Are we still meeting at half past?" }, at: Date.now() - age, tried: true };
  localStorage.setItem(`beck:outbox:${me}:${id}`, JSON.stringify(kept));
};

/** Each kind of server, started when the first state asks for it; `at` holds what paths need. */
const SERVERS = {
  async fresh() {
    return { server: await Server.start() };
  },
  async alone() {
    const server = await Server.start();
    const login = await server.setUp();
    return { server, login, join: await server.joinPath(login) };
  },
  async demo() {
    const server = await Server.start({ demo: true });
    const login = await server.enter();
    const other = await server.enter(server.links[1].path);
    return { server, login, other, ...(await rooms(server, login)) };
  },
};

/** The room that one arrives in, and the one with the most messages besides. */
async function rooms(server, cookie) {
  const { location } = await server.request("/", { cookie });
  const room = new URL(location, server.url).pathname;
  const { text } = await server.request(room, { cookie });
  const links = new Set([...text.matchAll(/href="(\/r\/\w+)"/g)].map(([, path]) => path));
  links.delete(room);
  const unread = text.match(/href="(\/r\/\w+)"[^>]*class="[^"]*unread|class="[^"]*unread[^"]*"[^>]*href="(\/r\/\w+)"/);
  let bigRoom = room;
  let most = 0;
  for (const path of links) {
    const page = await server.request(path, { cookie });
    const ordinals = [...page.text.matchAll(/data-ordinal="?(\d+)/g)].map(([, ordinal]) => Number(ordinal));
    const newest = Math.max(0, ...ordinals);
    if (newest > most) [bigRoom, most] = [path, newest];
  }
  return { room, bigRoom, unread: unread?.[1] ?? unread?.[2] ?? room };
}

const words = process.argv.slice(2).map(word => word.toLowerCase());
const pictures = STATES.flatMap(state =>
  (state.sizes ?? Object.keys(SIZES)).flatMap(size =>
    THEMES.map(theme => ({ state, size, theme, name: `${state.name}-${size}-${theme}` })),
  ),
).filter(({ name }) => !words.length || words.some(word => name.includes(word)));

const folder = join(target, "look");
mkdirSync(folder, { recursive: true });
const started = {};
for (const { state } of pictures) started[state.server] ??= await SERVERS[state.server]();
let problems = 0;

for (const { state, size, theme, name } of pictures) {
  const at = started[state.server];
  const found = [];
  const page = await openPage(at.server, undefined, {
    ...SIZES[size],
    ...(state.viewport && { viewport: state.viewport }),
    ...(state.forcedColors && { forcedColors: state.forcedColors }),
    javaScriptEnabled: state.script !== false,
    colorScheme: theme,
    reducedMotion: "reduce",
    login: state.login && at.login,
    problems: found,
  });
  try {
    if (state.wire) await rewire(page, typeof state.wire === "function" ? state.wire() : state.wire);
    if (state.left) {
      await page.goto(at.server.url + at.room);
      await live(page);
      // What stands in the composer is kept under the account's id, which is on no page.
      const box = page.locator(".composer textarea");
      await box.pressSequentially("x");
      const me = await until(() => page.evaluate(() => Object.keys(localStorage).find(key => key.startsWith("beck:draft:"))?.split(":")[2]), "a draft is kept");
      await box.fill("");
      await page.waitForTimeout(400);
      await page.evaluate(leave, [at.room.split("/")[2], state.left, me]);
    }
    at.way = state.way && (await cuttingProxy(at.server));
    await page.goto((at.way?.url ?? at.server.url) + (typeof state.path === "function" ? state.path(at) : state.path));
    if (state.script !== false) await live(page);
    await state.act?.(page, at);
    await page.evaluate(() => document.fonts.ready.then(() => {}));
    await page.waitForLoadState("networkidle", { timeout: 2000 }).catch(() => {});
  } catch (fault) {
    found.push({ kind: "fault", text: String(fault.message ?? fault) });
  }
  // A page that is not well is worth a picture all the more.
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await page.context().close();
  await at.way?.close();
  const expected = state.way ? /ERR_|WebSocket connection/ : state.allow;
  const bad = found.filter(({ text }) => !expected?.test(text));
  console.log(`${bad.length ? "not ok" : "ok"} ${name}`);
  for (const { kind, text } of bad) console.log(`    ${kind}: ${text}`);
  problems += bad.length;
}

await closeBrowser();
for (const { server } of Object.values(started)) await server.stop();
console.log(`${pictures.length} pictures in ${folder}, ${problems} problems`);
process.exit(problems || !pictures.length ? 1 : 0);
