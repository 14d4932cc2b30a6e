// The way to the server breaks, in every way that ways break: what was written is stored once and in order, nothing is
// missed, and nobody has to reload. Each test counts the faults that it caused.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import {
  LONG, NO_SERVER, asFresh, box, clientId, complete, count, offline, online, pending, post, roomOf, row, run, say, settled, storedOnce,
  texts, two, waiting, watchDoubles, watchText,
} from "./room.mjs";
import { FIRST, live, test, until } from "./support.mjs";

const TIMEOUT = { timeout: 180_000 };
const numbered = (who, n) => run(1, n).map(k => `${who} writes ${k}.`);
const chip = page => page.locator(".chip-text").textContent();

/** Ada and Bo in General, both behind the way; and a way. */
async function scene(t) {
  t.allow(...NO_SERVER);
  const server = await t.server();
  const way = await t.proxy(server);
  const pages = await two(t, server, way);
  return { server, way, pages, logins: pages.logins, room: roomOf(pages[0]) };
}

/** As after a lid that was shut for so long: clocks have moved, timers have not run. */
const sleepOver = (page, ms) => page.clock.fastForward(ms);

/** Ada's page, whose clock can be moved, behind the way; and Bo's login. */
async function sleeper(t) {
  t.allow(...NO_SERVER);
  const server = await t.server();
  const login = await server.setUp();
  const other = await server.join(await server.joinPath(login));
  const way = await t.proxy(server);
  const page = await t.page(way, undefined, { login });
  await page.clock.install();
  await page.goto(way.url + "/");
  await settled(page);
  return { server, way, page, login, other, room: roomOf(page) };
}

test("cut: what is written waits in order, and arrives once", async t => {
  const { way, pages: [ada, bo] } = await scene(t);
  const doubled = [await watchDoubles(ada), await watchDoubles(bo)];
  way.cut();
  for (const page of [ada, bo]) await offline(page);
  const all = numbered("Ada", 3);
  for (const text of all) await say(ada, text);
  await until(async () => (await waiting(ada)).length === 3, "three wait");
  assert.deepEqual(await waiting(ada), all);
  assert.equal(await ada.locator(".timeline > li.row.pending").count(), 3);
  await until(async () => (await chip(ada)) === "offline, 3 waiting", "the chip says so");
  assert.deepEqual(await texts(bo), []);
  way.mend();
  for (const page of [ada, bo]) await online(page);
  for (const page of [ada, bo]) await complete(page, all);
  for (const told of doubled) assert.deepEqual(await told(), []);
  assert.equal(await chip(ada), "3");
  assert(way.counts.cut > 0, JSON.stringify(way.counts));
}, TIMEOUT);

test("many short cuts while both write", async t => {
  const { server, way, pages: [ada, bo], logins } = await scene(t);
  const doubled = [await watchDoubles(ada), await watchDoubles(bo)];
  for (let round = 1; round <= 10; round++) {
    await say(ada, `Ada writes ${round}.`);
    way.cut();
    await say(bo, `Bo writes ${round}.`);
    way.mend();
    await until(() => way.sockets.length > 2 * round, "somebody is back", LONG);
  }
  for (const page of [ada, bo]) await until(async () => (await texts(page)).length === 20, "all are there", LONG);
  const seen = await asFresh(t, server, ada, logins[0]);
  await complete(bo, seen);
  for (const who of ["Ada", "Bo"]) assert.deepEqual(seen.filter(text => text.startsWith(who)), numbered(who, 10));
  for (const told of doubled) assert.deepEqual(await told(), []);
  assert(way.counts.cut >= 10, JSON.stringify(way.counts));
}, TIMEOUT);

test("frozen for a moment: the same connection goes on", async t => {
  const { way, pages: [ada, bo] } = await scene(t);
  const doubled = [await watchDoubles(ada), await watchDoubles(bo)];
  way.freeze();
  const all = numbered("Ada", 3);
  for (const text of all) await say(ada, text);
  await until(async () => (await waiting(ada)).length === 3, "three wait");
  assert.deepEqual(await texts(bo), []);
  way.mend();
  for (const page of [ada, bo]) await complete(page, all);
  for (const told of doubled) assert.deepEqual(await told(), []);
  assert.equal(way.sockets.length, 2);
  assert(way.counts.frozen > 0, JSON.stringify(way.counts));
}, TIMEOUT);

test("frozen for good, without a word: silence is noticed, and a new connection made", async t => {
  const { server, way, page, login, other, room } = await sleeper(t);
  const doubled = await watchDoubles(page);
  way.freeze();
  assert(way.counts.frozen > 0, JSON.stringify(way.counts));
  way.forsake();
  const all = numbered("Ada", 3);
  for (const text of all) await say(page, text);
  await until(async () => (await waiting(page)).length === 3, "three wait");
  await post(server, room, other, "Meanwhile");
  assert.equal(way.sockets.length, 1);
  // Two heartbeats of silence, and no event that would wake it.
  for (let tick = 1; tick <= 12; tick++) await sleepOver(page, 5000);
  await online(page);
  await complete(page, ["Meanwhile", ...all]);
  assert.deepEqual(await asFresh(t, server, page, login), ["Meanwhile", ...all]);
  assert.deepEqual(await doubled(), []);
  assert(way.sockets.length > 1, "there is a new connection");
}, TIMEOUT);

test("awake again on a dead connection: it is tried at once, not after two heartbeats", async t => {
  const { way, page } = await sleeper(t);
  await say(page, "Before");
  await complete(page, ["Before"]);
  way.freeze();
  way.forsake();
  assert(way.counts.frozen > 0, JSON.stringify(way.counts));
  await page.evaluate(() => dispatchEvent(new Event("online")));
  // 20 s: less than one heartbeat.
  for (let tick = 1; tick <= 4; tick++) {
    await sleepOver(page, 5000);
    if (way.sockets.length > 1) break;
  }
  await until(() => way.sockets.length > 1, "there is a new connection", 5000);
  await online(page);
}, TIMEOUT);

test("a connection that is taken and never answered is given up", async t => {
  const { way, page } = await sleeper(t);
  way.cut();
  await offline(page);
  await say(page, "Behind a silent door");
  way.freeze();
  await until(() => way.counts.frozen > 0, "it knocked", LONG);
  // It knocked, and nobody will ever answer there; but other doors are open now.
  way.forsake();
  for (let tick = 1; tick <= 24; tick++) await sleepOver(page, 5000);
  await online(page);
  await complete(page, ["Behind a silent door"]);
}, TIMEOUT);

test("a reload with a full outbox", async t => {
  const { way, pages: [ada, bo], room } = await scene(t);
  way.cut();
  await offline(ada);
  const all = numbered("Ada", 20);
  // As fast as a page can: several within one millisecond.
  await ada.evaluate(all => {
    const box = document.querySelector(".composer textarea");
    for (const text of all) {
      box.value = text;
      box.form.requestSubmit();
    }
  }, all);
  await until(async () => (await waiting(ada)).length === 20, "twenty wait");
  assert.deepEqual(await waiting(ada), all);
  const { cut } = way.counts;
  await ada.reload().catch(() => {});
  assert(way.counts.cut > cut, "the reload found nobody");
  // The browser may still be on its way to its own page about that.
  await until(() => ada.goto("about:blank").then(() => true, () => false), "the page is left");
  way.mend();
  await ada.goto(`${way.url}/r/${room}`);
  const doubled = await watchDoubles(ada);
  await settled(ada);
  for (const page of [ada, bo]) await complete(page, all);
  assert.deepEqual(await doubled(), []);
  const unsettled = () => Object.entries(localStorage).filter(([key, kept]) => key.startsWith("beck:outbox") && JSON.parse(kept).state.is !== "stored").length;
  await until(async () => (await ada.evaluate(unsettled)) === 0, "nothing waits in the outbox");
}, TIMEOUT);

test("two tabs of one browser", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server();
  const login = await server.setUp();
  const way = await t.proxy(server);
  const one = await t.page(way, "/", { login });
  const other = await one.context().newPage();
  await other.goto(way.url + "/");
  for (const tab of [one, other]) await settled(tab);
  way.cut();
  for (const tab of [one, other]) await offline(tab);
  for (let n = 1; n <= 5; n++) {
    await say(one, `One writes ${n}.`);
    await say(other, `Other writes ${n}.`);
  }
  for (const tab of [one, other]) await until(async () => (await waiting(tab)).length >= 5, "its own wait");
  const doubled = [await watchDoubles(one), await watchDoubles(other)];
  way.mend();
  for (const tab of [one, other]) await online(tab);
  for (const tab of [one, other]) await until(async () => (await texts(tab)).length >= 10, "all ten are there", LONG);
  const seen = await asFresh(t, server, one, login);
  await complete(other, seen);
  assert.deepEqual([...seen].sort(), [...numbered("One", 5), ...numbered("Other", 5)].sort());
  for (const who of ["One", "Other"]) assert.deepEqual(seen.filter(text => text.startsWith(who)), numbered(who, 5));
  for (const told of doubled) assert.deepEqual(await told(), []);

  // One of them goes while both have something that waits.
  way.cut();
  for (const tab of [one, other]) await offline(tab);
  await say(one, "Written where the tab is closed");
  await say(other, "Written where the tab stays");
  await pending(one, "is closed").waitFor();
  await pending(other, "stays").waitFor();
  await one.close();
  await say(other, "And after that");
  way.mend();
  await online(other);
  await storedOnce(other, "Written where the tab stays");
  await storedOnce(other, "And after that");
  // And what the closed one had comes with the next page at the latest.
  await other.reload();
  await settled(other);
  await storedOnce(other, "Written where the tab is closed");
  await asFresh(t, server, other, login);
  assert.equal((await texts(other)).length, 13);
  assert(way.counts.cut > 0, JSON.stringify(way.counts));
}, TIMEOUT);

test("the server is away for a while", async t => {
  const { server, way, pages: [ada, bo], logins } = await scene(t);
  await server.stop();
  for (const page of [ada, bo]) await offline(page);
  const all = numbered("Ada", 3);
  for (const text of all) await say(ada, text);
  const before = way.counts.refused;
  await until(() => way.counts.refused >= before + 3, "three tries failed", LONG);
  assert.deepEqual(await waiting(ada), all);
  await server.start();
  for (const page of [ada, bo]) await online(page);
  for (const page of [ada, bo]) await complete(page, all);
  assert.deepEqual(await asFresh(t, server, bo, logins[1]), all);
}, TIMEOUT);

test("another program answers at the server's place, and not as a server", async t => {
  const { server, way, pages: [ada, bo] } = await scene(t);
  await server.stop();
  let answered = 0;
  const stranger = createServer(socket => {
    answered += 1;
    socket.on("error", () => {}).resume().end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  }).listen(server.port, "127.0.0.1");
  t.defer(() => stranger.close());
  await say(ada, "Past the stranger");
  await until(() => answered >= 2, "it was asked", LONG);
  await new Promise(done => stranger.close(done));
  await server.start();
  for (const page of [ada, bo]) await online(page);
  for (const page of [ada, bo]) await complete(page, ["Past the stranger"]);
  assert(way.sockets.length > 2);
}, TIMEOUT);

test("sleep: both sides, then the page alone", async t => {
  const { server, way, page, login, other, room } = await sleeper(t);
  // Everything stops, as in one machine whose lid is shut, and goes on where it was.
  way.freeze();
  server.child.kill("SIGSTOP");
  t.defer(() => server.child?.kill("SIGCONT"));
  await say(page, "Just before the lid");
  await sleepOver(page, 10 * 60_000);
  server.child.kill("SIGCONT");
  way.mend();
  await online(page);
  await storedOnce(page, "Just before the lid");
  assert.deepEqual(await asFresh(t, server, page, login), ["Just before the lid"]);
  const { frozen } = way.counts;
  assert(frozen > 0, JSON.stringify(way.counts));

  // The page alone: others go on, and its connection dies without a word.
  way.freeze();
  assert(way.counts.frozen > frozen, JSON.stringify(way.counts));
  for (const text of numbered("Bo", 5)) await post(server, room, other, text);
  await sleepOver(page, 10 * 60_000);
  way.forsake();
  await say(page, "Just after the lid");
  await storedOnce(page, "Just after the lid");
  const all = ["Just before the lid", ...numbered("Bo", 5), "Just after the lid"];
  await complete(page, all);
  assert.deepEqual(await asFresh(t, server, page, login), all);
}, TIMEOUT);

test("a proxy that closes what is idle", async t => {
  const { server, way, pages: [ada, bo], logins } = await scene(t);
  way.idleCut(1000);
  const doubled = [await watchDoubles(ada), await watchDoubles(bo)];
  const all = numbered("Ada", 5);
  for (const [n, text] of all.entries()) {
    const { idle } = way.counts;
    await until(() => way.counts.idle >= idle + 2, `idle for the ${n + 1}. time`, LONG);
    await say(ada, text);
  }
  for (const page of [ada, bo]) await complete(page, all);
  assert.deepEqual(await asFresh(t, server, bo, logins[1]), all);
  for (const told of doubled) assert.deepEqual(await told(), []);
  assert(way.counts.idle >= 10, JSON.stringify(way.counts));
}, TIMEOUT);

test("byte by byte, and late", async t => {
  const { server, way, pages: [ada, bo], logins } = await scene(t);
  way.drip();
  way.delay(50);
  for (const page of [ada, bo]) {
    await page.reload();
    await settled(page);
  }
  const doubled = [await watchDoubles(ada), await watchDoubles(bo)];
  const long = `${"Żółć 🦦 あ ".repeat(300)}end`;
  const all = [...numbered("Ada", 5), long];
  for (const text of all) await say(ada, text);
  for (const page of [ada, bo]) await complete(page, all);
  await say(bo, "An answer");
  for (const page of [ada, bo]) await storedOnce(page, "An answer");
  for (const told of doubled) assert.deepEqual(await told(), []);
  await asFresh(t, server, ada, logins[0]);
  assert(way.counts.dripped > 10_000 && way.counts.delayed > 10_000, JSON.stringify(way.counts));
}, TIMEOUT);

test("the reply is lost after the message was stored, again and again", async t => {
  const { server, way, pages: [ada, bo], logins } = await scene(t);
  const most = await watchText(ada, "Stored, but who knows");
  const posts = () => way.sockets.flatMap(({ sent }) => sent).filter(frame => frame.text === "Stored, but who knows");
  // Both sentences that tell of it: its event, and the ack.
  way.dropReplies(20, frames => posts().length > 0 && frames.some(({ t }) => t === "ack" || t === "event"));
  await say(ada, "Stored, but who knows");
  await until(() => way.counts.dropped === 20, "twenty replies are lost", LONG);
  for (const page of [ada, bo]) await online(page);
  for (const page of [ada, bo]) await complete(page, ["Stored, but who knows"]);
  assert.deepEqual(await most(), { all: 1, pending: 1, stored: 1 });
  assert(posts().length > 1, "it was sent again");
  assert.equal(new Set(posts().map(({ id }) => id)).size, 1, "always under one id");

  // And twenty others, each of which loses its ack alone: its event came, or comes in between.
  const all = numbered("Ada", 20);
  for (const text of all) {
    const { dropped } = way.counts;
    way.dropReplies(1, frames => frames.some(({ t }) => t === "ack"));
    await say(ada, text);
    await until(() => way.counts.dropped === dropped + 1, `the ack of “${text}” is lost`, LONG);
  }
  for (const page of [ada, bo]) await complete(page, ["Stored, but who knows", ...all]);
  assert.deepEqual(await asFresh(t, server, ada, logins[0]), ["Stored, but who knows", ...all]);
  assert.equal(way.counts.dropped, 40);
}, TIMEOUT);

test("signing out with messages that wait", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server();
  const login = await server.setUp();
  const way = await t.proxy(server);
  const page = await t.page(way, "/", { login });
  await settled(page);
  const menu = page.locator("details.own");
  await menu.locator("summary").click();
  assert(!(await menu.locator(".menu-warning").isVisible()), "nothing waits yet");
  await menu.locator("summary").click();
  way.cut();
  await offline(page);
  const all = ["The first that waits", "The second that waits"];
  for (const text of all) await say(page, text);
  await until(async () => (await waiting(page)).length === 2, "two wait");
  await menu.locator("summary").click();
  await menu.locator(".menu-warning").waitFor();
  assert.match(await menu.locator(".menu-warning").textContent(), /2 messages|2 not sent/);
  // Pages go through again, the socket does not: they still wait when one leaves.
  way.cutSockets();
  await menu.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/\/sign-in$/);
  way.mend();
  await live(page);
  await page.getByLabel("Handle").fill(FIRST.handle);
  await page.getByLabel("Password").fill(FIRST.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(/\/r\//);
  await settled(page);
  const shown = async () => (await page.locator(".timeline > .row .text p").evaluateAll(list => list.map(p => p.firstChild.data)));
  for (const text of all) await until(async () => count(await shown(), text) > 0, `“${text}” is sent or offered`);
  for (const text of all) assert.equal(count(await shown(), text), 1, `“${text}” is there once`);
  assert(way.counts.cut > 0, JSON.stringify(way.counts));
}, TIMEOUT);

test("another person at the same browser gets nothing of what waits", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server();
  const login = await server.setUp();
  const bo = { handle: "bo", password: "battery staple" };
  await server.join(await server.joinPath(login), { name: "Bo Lind", ...bo });
  const way = await t.proxy(server);
  const page = await t.page(way, "/", { login });
  await settled(page);
  way.cut();
  await offline(page);
  await say(page, "Ada's own, not sent");
  await pending(page, "not sent").waitFor();
  way.cutSockets();
  await page.locator("summary.own-row").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/\/sign-in$/);
  way.mend();
  await page.getByLabel("Handle").fill(bo.handle);
  await page.getByLabel("Password").fill(bo.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(/\/r\//);
  await settled(page);
  await say(page, "Bo's own");
  await storedOnce(page, "Bo's own");
  assert.deepEqual(await page.locator(".timeline > .row .text p").evaluateAll(list => list.map(p => p.firstChild.data)), ["Bo's own"]);
  assert(way.counts.cut > 0, JSON.stringify(way.counts));
}, TIMEOUT);

/** The bar over the timeline where one signs in again: the wrong password, then the right one. */
async function signInAgain(page) {
  const form = page.locator("form.sign-in-again");
  await form.waitFor({ timeout: LONG });
  assert.equal(await page.evaluate(() => globalThis.__same), 1, "it is the same page");
  const password = form.locator("input[type=password]");
  assert((await form.textContent()).includes(FIRST.handle) || (await form.locator(`[value="${FIRST.handle}"]`).count()) > 0, "it names the handle");
  for (const field of await form.locator("input:not([type=password]):not([type=hidden])").all()) assert(!(await field.isEditable()), "the handle is fixed");
  const alerts = () => form.locator("[role=alert]:visible").allTextContents();
  const before = await alerts();
  await password.fill("not the right one");
  await password.press("Enter");
  await until(async () => (await alerts()).some(text => text.trim().length > 10 && !before.includes(text)), "it says that this was wrong");
  assert.equal(await form.count(), 1);
  await password.fill(FIRST.password);
  await password.press("Enter");
  await online(page);
  await until(async () => (await form.count()) === 0, "the bar is gone");
  assert.equal(await page.evaluate(() => globalThis.__same), 1, "it is still the same page");
}

test("a login that ends while one writes: sign in again in place", async t => {
  t.allow(/status of 4(01|22|03)/);
  const server = await t.server();
  const login = await server.setUp();
  const page = await t.page(server, "/", { login });
  await settled(page);
  await page.evaluate(() => (globalThis.__same = 1));
  await box(page).pressSequentially("Half a thou");
  const ended = await server.request("/sign-out", { method: "POST", fields: {}, cookie: login });
  assert.equal(ended.status, 303);
  await page.locator("form.sign-in-again").waitFor({ timeout: LONG });
  assert.equal(await box(page).inputValue(), "Half a thou");
  // What is sent now waits for the login.
  await box(page).press("Enter");
  await pending(page, "Half a thou").waitFor();
  await box(page).pressSequentially("and the next one");
  await signInAgain(page);
  assert.equal(await box(page).inputValue(), "and the next one");
  await complete(page, ["Half a thou"]);
  await box(page).press("Enter");
  await complete(page, ["Half a thou", "and the next one"]);
}, TIMEOUT);

test("a login that ended while the way was cut: sign in again in place", async t => {
  t.allow(...NO_SERVER, /status of 4(01|22|03)/, /Unexpected response code: 401/);
  const server = await t.server();
  const login = await server.setUp();
  const way = await t.proxy(server);
  const page = await t.page(way, "/", { login });
  await settled(page);
  await page.evaluate(() => (globalThis.__same = 1));
  way.cut();
  await offline(page);
  await say(page, "Written without a login");
  await box(page).pressSequentially("Half a thou");
  assert.equal((await server.request("/sign-out", { method: "POST", fields: {}, cookie: login })).status, 303);
  way.mend();
  await signInAgain(page);
  assert.equal(await box(page).inputValue(), "Half a thou");
  await complete(page, ["Written without a login"]);
  assert(way.counts.cut > 0, JSON.stringify(way.counts));
}, TIMEOUT);
