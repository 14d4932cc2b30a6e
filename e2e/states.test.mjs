// What a room says of itself: every state between complete and not, what one can do in it, and how it ends.

import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, rmSync } from "node:fs";
import {
  LONG, NO_SERVER, asFresh, box, complete, offline, online, pending, post, rewire, roomOf, row, run, say, settled, storedOnce, texts, two,
  waiting,
} from "./room.mjs";
import { SIZES, assertAccessible, live, test, until } from "./support.mjs";

const TIMEOUT = { timeout: 120_000 };
const chip = page => page.locator(".chip-text").textContent();
const card = (page, text) => page.locator(".row.failed").filter({ hasText: text });

/** Ada's page, with a wire that the test holds, and Bo's login. */
async function scene(t, { wire, way, env, path = "/", ...options } = {}) {
  t.allow(...NO_SERVER);
  const server = await t.server({ env });
  const login = await server.setUp();
  const bo = await server.join(await server.joinPath(login));
  const through = way ? await t.proxy(server) : server;
  const page = await t.page(through, undefined, { login, ...options });
  const { tell } = wire ? await rewire(page, wire) : {};
  await page.goto(through.url + path);
  await settled(page);
  return { server, way: through, page, login, bo, tell, room: roomOf(page) };
}

test("refused: the card says why and what to do, later ones wait behind it, and no word is lost", async t => {
  // What the server would say of a room that was archived meanwhile; it never hears of the message.
  let refused = 0;
  const refuse = frame => {
    if (!frame.text.startsWith("Not here")) return frame;
    refused += 1;
    tell({ t: "ack", id: frame.id, outcome: { is: "refused", why: "archived" } });
    return null;
  };
  const { server, page, login, tell } = await scene(t, { wire: { said: { post: refuse } } });
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await say(page, "Not here 1");
  await card(page, "Not here 1").getByText("Not sent: This room was archived.").waitFor();
  await say(page, "Behind it");
  await pending(page, "Behind it").getByText("waits for the one above").waitFor();
  await card(page, "Not here 1").getByRole("button", { name: "Copy" }).click();
  await until(async () => (await page.evaluate(() => navigator.clipboard.readText())) === "Not here 1", "the text is copied");
  await assertAccessible(page);
  // It is a card after a reload too.
  await page.reload();
  await settled(page);
  await card(page, "Not here 1").waitFor();
  assert.deepEqual(await texts(page), []);
  await box(page).fill("Half a thought");
  await card(page, "Not here 1").getByRole("button", { name: "Edit" }).click();
  await until(async () => (await box(page).inputValue()) === "Not here 1\nHalf a thought", "it stands before what was being written");
  await complete(page, ["Behind it"]);
  await box(page).fill("Here, then");
  await box(page).press("Enter");
  await complete(page, ["Behind it", "Here, then"]);
  await say(page, "Not here 2");
  await card(page, "Not here 2").getByRole("button", { name: "Discard" }).click();
  await until(async () => (await page.locator(".row.failed").count()) === 0, "it is gone");
  assert.deepEqual(await asFresh(t, server, page, login), ["Behind it", "Here, then"]);
  assert.equal(refused, 2);
}, TIMEOUT);

test("what waited for ten minutes is asked about, and sent or discarded", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server();
  const login = await server.setUp();
  await server.join(await server.joinPath(login));
  const way = await t.proxy(server);
  const page = await t.page(way, undefined, { login });
  await page.clock.install();
  await page.goto(way.url + "/");
  await settled(page);
  way.cut();
  await offline(page);
  const all = ["Still wanted", "No longer wanted", "After both"];
  for (const text of all) await say(page, text);
  await until(async () => (await waiting(page)).length === 3, "three wait");
  await page.clock.fastForward(11 * 60_000);
  await say(page, "A young one");
  assert(way.counts.cut > 0);
  way.mend();
  for (let tick = 0; tick < 6; tick++) await page.clock.fastForward(5000);
  await card(page, "Still wanted").getByText("Is it still to be sent?").waitFor({ timeout: LONG });
  assert.deepEqual(await texts(page), [], "nothing is sent before that");
  await card(page, "Still wanted").getByRole("button", { name: "Send now" }).click();
  await storedOnce(page, "Still wanted");
  await card(page, "No longer wanted").getByRole("button", { name: "Discard" }).click();
  await card(page, "After both").getByRole("button", { name: "Send now" }).click();
  await complete(page, ["Still wanted", "After both", "A young one"]);
  assert.deepEqual(await asFresh(t, server, page, login), ["Still wanted", "After both", "A young one"]);
}, TIMEOUT);

test("a hole is drawn where it is, said by the chip, and filled", async t => {
  const held = [];
  let lost = 0;
  const wire = {
    event: frame => (/^Lost/.test(frame.event.body?.text) ? ((lost += 1), null) : frame),
    events: frame => (held.push(frame), null),
  };
  const { server, page, login, bo, room, tell } = await scene(t, { wire });
  const all = ["Before", "Lost 1", "Lost 2", "After 1", "After 2"];
  for (const text of all) await post(server, room, bo, text);
  await page.locator("li.hole").waitFor();
  const words = await page.locator("li.hole").textContent();
  assert.match(words, /filling \d+ to \d+/i);
  await until(async () => (await chip(page)) === words, "the chip says the same");
  assert.equal(await page.locator(".chip.filling").count(), 1);
  assert.deepEqual(await texts(page), ["Before"], "nothing stands after a hole as if there were none");
  await assertAccessible(page);
  await until(() => held.length > 0, "what is missing is asked for");
  tell(held.shift());
  await complete(page, all);
  await until(async () => (await page.locator("li.hole").count()) === 0, "the hole is gone");
  assert.equal(await chip(page), "5");
  await asFresh(t, server, page, login);
  assert.equal(lost, 2);
}, TIMEOUT);

test("catching up says how far it is; more than a thousand are said in words, with a fresh window", async t => {
  // A long line: from the 30th on, what was missed comes when the test says so.
  const late = [];
  let slow = false;
  const wire = { event: frame => (slow && /^Missed \d/.test(frame.event.body?.text ?? "") && late.push(frame) > 30 ? null : frame) };
  t.allow(...NO_SERVER);
  const server = await t.server();
  const login = await server.setUp();
  const bo = await server.join(await server.joinPath(login));
  const way = await t.proxy(server);
  const page = await t.page(way, undefined, { login });
  const { tell } = await rewire(page, wire);
  await page.goto(way.url + "/");
  await settled(page);
  const room = roomOf(page);
  const missed = async (from, to) => {
    for (let n = from; n <= to; n += 20) await Promise.all(run(n, Math.min(n + 19, to)).map(k => post(server, room, k % 2 ? bo : login, `Missed ${k}`)));
  };
  way.cut();
  await offline(page);
  slow = true;
  await missed(1, 210);
  way.mend();
  await until(async () => (await chip(page)) === "30 of 210", "the chip counts", LONG);
  assert.equal(await page.locator(".chip").getAttribute("aria-label"), "Catching up: 30 of 210");
  slow = false;
  for (const frame of late.slice(30)) tell(frame);
  await until(async () => (await chip(page)) === "210", "all are there", LONG);
  const { cut } = way.counts;
  way.cut();
  await offline(page);
  await missed(211, 1211);
  way.mend();
  const line = page.locator("#caught-up");
  await line.waitFor({ timeout: LONG });
  assert.equal((await line.textContent()).trim(), "Caught up: 1,001 messages while you were away");
  await until(async () => (await chip(page)) === "1,211", "it is complete");
  await asFresh(t, server, page, login);
  const ordinals = () => page.locator(".timeline > .row[data-ordinal]").evaluateAll(all => all.map(li => Number(li.dataset.ordinal)));
  const seen = await ordinals();
  assert.deepEqual(seen, run(seen[0], 1211));
  // The words stand far above what one sees: the way leads there.
  await page.locator(".first-unread a").filter({ hasText: "99+ unread" }).click();
  await page.locator("#m-211").waitFor();
  assert(await line.isVisible());
  const around = await ordinals();
  assert.deepEqual(around, run(around[0], around.at(-1)));
  await until(async () => (await page.locator(".first-unread").count()) === 0, "one is there");
  assert(cut > 0 && way.counts.cut > cut);
}, { timeout: 180_000 });

test("the server's log changed: said, everything loaded anew, and what it lost is offered again", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server();
  const pages = await two(t, server);
  const [ada, bo] = pages;
  await say(ada, "Kept");
  for (const page of [ada, bo]) await storedOnce(page, "Kept");
  await server.stop();
  const copy = `${server.data}-copy`;
  cpSync(server.data, copy, { recursive: true });
  await server.start();
  for (const page of [ada, bo]) await online(page);
  await say(ada, "Lost with the disk");
  for (const page of [ada, bo]) await storedOnce(page, "Lost with the disk");
  await server.stop();
  rmSync(server.data, { recursive: true });
  cpSync(copy, server.data, { recursive: true });
  await server.start();
  for (const page of [ada, bo]) await page.locator("#reset").waitFor({ timeout: LONG });
  assert.match(await bo.locator("#reset summary").textContent(), /^Reloaded at \d\d:\d\d: the server's log changed\. Why\?$/);
  await bo.locator("#reset summary").click();
  await bo.getByText("it was restored from a copy").waitFor();
  await assertAccessible(bo);
  assert.deepEqual(await texts(bo), ["Kept"]);
  await card(ada, "Lost with the disk").getByText("The server had acknowledged it, and its log no longer has it.").waitFor();
  assert.deepEqual(await texts(ada), ["Kept"]);
  await card(ada, "Lost with the disk").getByRole("button", { name: "Send again" }).click();
  for (const page of [ada, bo]) await complete(page, ["Kept", "Lost with the disk"]);
  await asFresh(t, server, bo, pages.logins[1]);
}, TIMEOUT);

test("a server that goes says so; what is sent meanwhile waits, and one comes back as told", async t => {
  const { server, page, tell, login } = await scene(t, { wire: {} });
  tell({ t: "moving", after_ms: 60_000 });
  await page.getByText("The server restarts. What you send waits here and goes out in order.").waitFor();
  await page.getByText("Server restarts", { exact: true }).waitFor();
  for (const n of [1, 2]) await say(page, `Meanwhile ${n}`);
  await page.getByText("Server restarts, 2 waiting", { exact: true }).waitFor();
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await online(page);
  await complete(page, ["Meanwhile 1", "Meanwhile 2"]);
  await asFresh(t, server, page, login);
}, TIMEOUT);

test("a page that is too old says so, keeps what is written, and goes on after a reload", async t => {
  const wire = { close: 4002 };
  t.allow(...NO_SERVER);
  const server = await t.server();
  const login = await server.setUp();
  const page = await t.page(server, undefined, { login });
  await rewire(page, wire);
  await page.goto(server.url + "/");
  await live(page);
  const bar = page.getByRole("alert").filter({ hasText: "The server is newer than this page." });
  await bar.waitFor();
  await page.getByText("This page is too old. What you send waits here until you reload it.").waitFor();
  await say(page, "Written on the old page");
  await pending(page, "Written on the old page").waitFor();
  await box(page).pressSequentially("Half a thought");
  await assertAccessible(page);
  wire.close = undefined;
  await bar.getByRole("link", { name: "Reload" }).click();
  await settled(page);
  await complete(page, ["Written on the old page"]);
  assert.equal(await box(page).inputValue(), "Half a thought");
}, TIMEOUT);

test("a panic: a submit goes by the plain form; else the bar says so, the text stays, and the form still posts", async t => {
  t.allow(/panicked/, /unreachable/, /thrown by the test/, /closure invoked/);
  const { server, page, login } = await scene(t);
  await say(page, "Before");
  await storedOnce(page, "Before");
  // What throws through the client leaves it half done: what it does next is a panic. An id needs random bytes.
  const broken = () =>
    page.evaluate(() => {
      const own = Crypto.prototype.getRandomValues;
      globalThis.repair = () => (Crypto.prototype.getRandomValues = own);
      Crypto.prototype.getRandomValues = () => {
        throw new Error("thrown by the test");
      };
    });
  await broken();
  await box(page).fill("Written as it broke");
  await page.waitForTimeout(400); // it is kept as a draft by then
  await Promise.all([page.waitForNavigation(), box(page).press("Enter")]);
  await settled(page);
  await complete(page, ["Before", "Written as it broke"]);
  assert.equal(await box(page).inputValue(), "");

  await broken();
  const bar = page.getByRole("alert").filter({ hasText: "Something stopped working. What you wrote is kept." });
  await until(async () => {
    await row(page, "Before").locator(".text").click({ button: "right" });
    await page.getByRole("menuitem", { name: "Pin to this room" }).click({ timeout: 1000 }).catch(() => {});
    return bar.isVisible();
  }, "it stopped");
  assert(t.problems.some(({ text }) => /panicked/.test(text)), "it was a panic");
  await page.evaluate(() => void globalThis.repair());
  await assertAccessible(page);
  await box(page).fill("Written after it stopped");
  await page.waitForTimeout(400);
  await Promise.all([page.waitForNavigation(), box(page).press("Enter")]);
  await settled(page);
  await complete(page, ["Before", "Written as it broke", "Written after it stopped"]);
  assert.equal(await bar.count(), 0);
  assert.equal(await box(page).inputValue(), "");
  for (const [text, reload] of [["Half a thought", () => bar.getByRole("button", { name: "Reload" }).click()], ["Another half", () => page.reload()]]) {
    await page.evaluate(() => globalThis.beck.panic());
    await box(page).fill(text);
    await Promise.all([page.waitForNavigation(), reload()]);
    await settled(page);
    await until(async () => (await box(page).inputValue()) === text, `“${text}” is kept`);
  }
  assert.deepEqual(await asFresh(t, server, page, login), ["Before", "Written as it broke", "Written after it stopped"]);
}, TIMEOUT);

for (const [what, breaks] of Object.entries({
  "storage that is full": () => {
    Storage.prototype.setItem = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
  },
  "storage that is off": () => {
    Object.defineProperty(globalThis, "localStorage", {
      get() {
        throw new DOMException("off", "SecurityError");
      },
    });
  },
})) {
  test(`${what}: said, and nothing is lost while the tab stays`, async t => {
    t.allow(...NO_SERVER);
    const server = await t.server();
    const login = await server.setUp();
    const way = await t.proxy(server);
    const page = await t.page(way, undefined, { login });
    await page.addInitScript(breaks);
    await page.goto(way.url + "/");
    await settled(page);
    await say(page, "Stored at once");
    await complete(page, ["Stored at once"]);
    way.cut();
    await offline(page);
    for (const n of [1, 2]) await say(page, `Waits ${n}`);
    const words = page.getByText("This browser keeps nothing: what waits is kept only in this tab.");
    await words.waitFor();
    await assertAccessible(page);
    assert(way.counts.cut > 0);
    way.mend();
    await online(page);
    await complete(page, ["Stored at once", "Waits 1", "Waits 2"]);
    await until(async () => (await words.count()) === 0, "there is nothing left to lose");
    await asFresh(t, server, page, login);
  }, TIMEOUT);
}

test("the chip: what one holds, what the server says, every link recomputed, and a report to copy", async t => {
  // A server that changes one header on its way.
  let bend = false;
  const wire = { headers: frame => (bend ? { ...frame, headers: frame.headers.map(([header, chain], n) => [n === 2 ? { ...header, at: header.at + 1 } : header, chain]) } : frame) };
  for (const size of ["desktop", "phone"]) {
    const { server, page, bo, room } = await scene(t, { wire, env: { BECK_NEWEST_FORMAT: "4" }, ...SIZES[size] });
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    for (const n of run(1, 12)) await post(server, room, bo, `Message ${n}`);
    await until(async () => (await chip(page)) === "12", "all are there");
    assert.equal(await page.locator(".chip").getAttribute("aria-label"), "Complete: 12 messages");
    await page.locator(".chip").click();
    const facts = page.locator(".complete-panel dl > div");
    assert.deepEqual(await facts.locator("dt").allTextContents(), ["You hold", "Server", "Acknowledged", "All links"]);
    const said = await facts.locator("dd").allTextContents();
    assert.equal(said[0], "1 to 12, unbroken");
    assert.match(said[1], /^event \d+, chain ([0-9a-f]{4} ){3}[0-9a-f]{4}, compared at each heartbeat$/);
    assert.equal(said[2], "on this server's disk, flushed");
    const events = said[1].match(/^event (\d+)/)[1];
    bend = false;
    await page.getByRole("button", { name: "Check from #1" }).click();
    await page.getByText(new RegExp(`^All ${events} links agree, \\d+\\.\\d s$`)).waitFor();
    await page.getByRole("button", { name: "Copy as text" }).click();
    const report = await until(() => page.evaluate(() => navigator.clipboard.readText()), "it is copied");
    assert.equal(await facts.count(), 4, "texts of a log before format 5 cannot be checked: nothing is said of them");
    for (const words of [room, said[0], said[2], `All ${events} links agree`, "Not sent: 0"]) assert(report.includes(words), `${words}: ${report}`);
    bend = true;
    await page.getByRole("button", { name: "Check from #1" }).click();
    await page.getByText("Event 3 does not continue the one before it. Contact the person who runs this server.").waitFor();
    await assertAccessible(page);
    await page.keyboard.press("Escape");
    assert.equal(await page.locator(".complete-panel").isVisible(), false);
    assert.equal(await page.evaluate(() => document.activeElement.matches("summary.chip")), true, "the focus is where it was");
  }
}, TIMEOUT);

test("rows that take long: bones stand where they will be", async t => {
  const held = [];
  let hold = false;
  const { server, page, bo, room, tell } = await scene(t, { wire: { page: frame => (hold ? (held.push(frame), null) : frame) } });
  for (let n = 1; n <= 120; n += 20) await Promise.all(run(n, n + 19).map(k => post(server, room, bo, `Message ${k}`)));
  await page.reload();
  await settled(page);
  hold = true;
  await page.locator(".scroll").evaluate(el => el.scrollTo(0, -el.scrollHeight));
  await page.locator(".edge.older .bones").first().waitFor();
  assert.equal(await page.locator(".edge.older .bones").first().getAttribute("aria-hidden"), "true");
  assert(held.length > 0);
  hold = false;
  held.splice(0).forEach(tell);
  await page.locator("#m-21").waitFor({ state: "attached", timeout: LONG });
  const seen = await page.locator(".timeline > .row[data-ordinal]").evaluateAll(all => all.map(li => Number(li.dataset.ordinal)));
  assert(seen[0] <= 21, `from #${seen[0]} on`);
  assert.deepEqual(seen, run(seen[0], 120));
}, TIMEOUT);

/** The processes that this one started, and those that they started, whose command line holds a word. */
function processes(word) {
  const all = readdirSync("/proc").filter(name => /^\d+$/.test(name)).flatMap(pid => {
    try {
      const parent = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /s, "").split(" ")[1];
      return [{ pid: Number(pid), parent: Number(parent), line: readFileSync(`/proc/${pid}/cmdline`, "latin1") }];
    } catch {
      return []; // ended meanwhile
    }
  });
  const ours = ({ pid, parent }) => pid && (parent === process.pid || ours(all.find(one => one.pid === parent) ?? {}));
  return all.filter(one => one.line.includes(word) && ours(one)).map(({ pid }) => pid);
}

if (process.platform === "linux") {
  test("sleep: the programs of the page are stopped, others go on, the way dies, and all is there afterwards", async t => {
    const { server, way, page, login, bo, room } = await scene(t, { way: true });
    await post(server, room, bo, "Before");
    await storedOnce(page, "Before");
    await say(page, "Just before the lid");
    const programs = processes("--type=renderer");
    const signal = name => programs.forEach(pid => {
      try {
        process.kill(pid, name);
      } catch {
        // It has ended, with its page.
      }
    });
    t.defer(() => signal("SIGCONT"));
    signal("SIGSTOP");
    const all = run(1, 5).map(n => `While it slept ${n}`);
    for (const text of all) await post(server, room, bo, text);
    way.cut();
    way.mend();
    await new Promise(done => setTimeout(done, 1000));
    signal("SIGCONT");
    await until(() => way.sockets.length > 1, "there is a new connection", LONG);
    await online(page);
    await storedOnce(page, "Just before the lid");
    const seen = await asFresh(t, server, page, login);
    assert.deepEqual(seen.filter(text => text !== "Just before the lid"), ["Before", ...all]);
    assert.equal(seen.length, 7);
    assert(programs.length > 0 && way.counts.cut > 0);
  }, TIMEOUT);
}
