// What people do with it, from the first run on: by forms and live, over restarts, without scripts, on a phone.

import assert from "node:assert/strict";
import { LONG, NO_SERVER, box, online, pending, row, say, settled, storedOnce, texts, two, watchText } from "./room.mjs";
import { FIRST, SIZES, live, test, until } from "./support.mjs";

test("from the first run to a talk of two", async t => {
  const server = await t.server();
  const ada = await t.page(server, "/");
  await ada.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  assert.equal(new URL(ada.url()).pathname, "/setup");
  await live(ada);
  await ada.getByLabel("Name of your team").fill(FIRST.workspace);
  await ada.getByLabel("Your name").fill(FIRST.name);
  await ada.getByLabel("Handle").fill(FIRST.handle);
  await ada.getByLabel("Password").fill(FIRST.password);
  await ada.getByRole("button", { name: "Open the workspace" }).click();
  await ada.waitForURL(/\/r\/[a-z]{10}$/);
  await settled(ada);
  await ada.getByRole("heading", { name: "General", level: 1 }).waitFor();
  await ada.getByRole("heading", { name: "It is quiet here" }).waitFor();
  await ada.getByRole("button", { name: "Copy link" }).click();
  await ada.locator(".copy-line").getByText("Copied").waitFor();
  const link = await ada.evaluate(() => navigator.clipboard.readText());
  assert.equal(link, await ada.getByLabel("Link to join").inputValue());
  assert(link.startsWith(`${server.url}/join/`), link);

  const bo = await t.page(server, new URL(link).pathname);
  await live(bo);
  await bo.getByLabel("Your name").fill("Bo Lind");
  await bo.getByLabel("Handle").fill("bo");
  await bo.getByLabel("Password").fill("battery staple");
  await bo.getByRole("button", { name: "Join" }).click();
  await bo.waitForURL(/\/r\/[a-z]{10}$/);
  assert.equal(bo.url(), ada.url());
  await settled(bo);
  assert.equal(await bo.getByRole("heading", { name: "It is quiet here" }).count(), 0);

  await say(bo, "Hello, is this on?");
  await storedOnce(ada, "Hello, is this on?");
  await say(ada, "It is. Good morning!");
  await storedOnce(bo, "It is. Good morning!");
  assert.equal(await row(ada, "Hello, is this on?").locator(".author").first().textContent(), "Bo Lind");
  assert.equal(await row(bo, "It is. Good morning!").locator(".author").first().textContent(), FIRST.name);
  assert.equal(await ada.getByRole("heading", { name: "It is quiet here" }).count(), 0, "the card goes when somebody came");
  assert.equal(await box(ada).inputValue(), "");

  // Both at once: one order for all.
  const talk = async (page, who) => {
    for (let n = 1; n <= 10; n++) await say(page, `${who} says ${n}.`);
  };
  await Promise.all([talk(ada, "Ada"), talk(bo, "Bo")]);
  for (const page of [ada, bo]) {
    await until(async () => (await texts(page)).length === 22, "all are there");
    await until(async () => (await page.locator(".row.pending").count()) === 0, "nothing is pending");
  }
  const seen = await texts(ada);
  assert.deepEqual(await texts(bo), seen);
  for (const who of ["Ada", "Bo"]) {
    const own = seen.filter(text => text.startsWith(`${who} says`));
    assert.deepEqual(own, Array.from({ length: 10 }, (_, n) => `${who} says ${n + 1}.`));
  }
});

test("a message that waits becomes a stored one, and is never there twice", async t => {
  const server = await t.server();
  const [ada, bo] = await two(t, server);
  const text = "Slow, but it arrives.";
  const most = await watchText(ada, text);
  server.child.kill("SIGSTOP");
  t.defer(() => server.child?.kill("SIGCONT"));
  await say(ada, text);
  await pending(ada, text).waitFor();
  assert.equal(await pending(ada, text).locator(".text p").evaluate(p => p.firstChild.data), text);
  assert.equal(await row(bo, text).count(), 0);
  server.child.kill("SIGCONT");
  for (const page of [ada, bo]) await storedOnce(page, text);
  assert.deepEqual(await most(), { all: 1, pending: 1, stored: 1 });
});

test("a restart: pages come back by themselves, and what was written meanwhile arrives once", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server();
  const [ada, bo] = await two(t, server);
  await say(ada, "Before it went");
  for (const page of [ada, bo]) await storedOnce(page, "Before it went");

  await server.stop();
  for (const page of [ada, bo]) await page.locator(".own-state.offline").waitFor({ state: "attached", timeout: LONG });
  const most = await watchText(ada, "While it was away");
  await say(ada, "While it was away");
  await say(ada, "And another one");
  await pending(ada, "While it was away").waitFor();
  await ada.getByText("Offline, 2 waiting", { exact: true }).waitFor();
  await ada.locator(".composer-edge").waitFor();
  await server.start();
  for (const page of [ada, bo]) {
    await online(page);
    await storedOnce(page, "While it was away");
    await storedOnce(page, "And another one");
  }
  assert.deepEqual(await most(), { all: 1, pending: 1, stored: 1 });
  await say(bo, "After it came back");
  for (const page of [ada, bo]) await storedOnce(page, "After it came back");

  const all = ["Before it went", "While it was away", "And another one", "After it came back"];
  for (const page of [ada, bo]) {
    assert.deepEqual(await texts(page), all);
    await page.reload();
    await settled(page);
    assert.deepEqual(await texts(page), all);
  }
}, { timeout: 180_000 });

test("a power cut loses nothing that was stored", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server();
  const [ada, bo] = await two(t, server);
  const all = Array.from({ length: 20 }, (_, n) => `Number ${n + 1}.`);
  for (const text of all.slice(0, 15)) await say(ada, text);
  await storedOnce(ada, all[14]);
  for (const text of all.slice(15)) await say(ada, text);
  await server.kill();
  await server.start();
  for (const page of [ada, bo]) {
    await online(page);
    await until(async () => (await texts(page)).length === all.length, "all are there", LONG);
    assert.deepEqual(await texts(page), all);
  }
  await ada.reload();
  await settled(ada);
  assert.deepEqual(await texts(ada), all);
}, { timeout: 180_000 });

test("a reload in the middle of sending", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server();
  const [ada, bo] = await two(t, server);
  const text = "Sent, and the page was gone";
  server.child.kill("SIGSTOP");
  t.defer(() => server.child?.kill("SIGCONT"));
  await say(ada, text);
  await pending(ada, text).waitFor();
  const reloaded = ada.reload({ timeout: LONG });
  await new Promise(done => setTimeout(done, 300));
  server.child.kill("SIGCONT");
  await reloaded;
  await settled(ada);
  for (const page of [ada, bo]) await storedOnce(page, text);
  // And nothing is left that a further page would send.
  const unsettled = () => Object.entries(localStorage).filter(([key, kept]) => key.startsWith("beck:outbox") && JSON.parse(kept).state.is !== "stored").length;
  await until(async () => (await ada.evaluate(unsettled)) === 0, "nothing waits in the outbox");
  await ada.reload();
  await settled(ada);
  await storedOnce(ada, text);
}, { timeout: 120_000 });

test("a reload while there is no way to the server keeps what waits", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server();
  const login = await server.setUp();
  const way = await t.proxy(server);
  const ada = await t.page(way, "/", { login });
  await settled(ada);
  const room = ada.url();
  way.cut();
  await ada.locator(".own-state.offline").waitFor({ state: "attached", timeout: LONG });
  await say(ada, "Kept over the reload");
  await pending(ada, "Kept over the reload").waitFor();
  await ada.goto("about:blank");
  way.mend();
  await ada.goto(room);
  await settled(ada);
  await storedOnce(ada, "Kept over the reload");
}, { timeout: 120_000 });

test("without scripts: sign in, read, leaf through a big room, write", async t => {
  t.allow(/status of 422/);
  const server = await t.server({ demo: true });
  const page = await t.page(server, "/sign-in", { javaScriptEnabled: false });
  await page.getByLabel("Handle").fill("lena");
  await page.getByLabel("Password").fill("not this one at all");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  assert.equal(await page.getByLabel("Handle").inputValue(), "lena");
  await page.getByLabel("Password").fill("water over stone");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "General", level: 1 }).waitFor();
  await page.locator(".sidebar").getByRole("link", { name: "Deploys" }).click();
  await page.getByRole("heading", { name: "Deploys", level: 1 }).waitFor();

  const ordinals = () => page.locator(".row[data-ordinal]").evaluateAll(all => all.map(li => Number(li.dataset.ordinal)));
  const run = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => from + n);
  const newest = await ordinals();
  assert.deepEqual(newest, run(9951, 10_000));
  assert((await texts(page)).at(-1).startsWith("deploy 10000 of web"));
  await page.getByRole("link", { name: "Older", exact: true }).click();
  await page.locator("#m-9950").waitFor();
  assert.deepEqual(await ordinals(), run(9901, 9950));
  await page.getByRole("link", { name: "Older", exact: true }).click();
  await page.locator("#m-9900").waitFor();
  await page.getByRole("link", { name: "Newer", exact: true }).click();
  await page.locator("#m-9901").waitFor();
  assert.deepEqual(await ordinals(), run(9901, 9950));
  await page.getByRole("link", { name: "Newest", exact: true }).click();
  await page.locator("#m-10000").waitFor();

  await box(page).fill("Written by hand,\nwithout a script.");
  await page.getByRole("button", { name: "Send" }).click();
  await row(page, "without a script.").waitFor();
  assert.deepEqual(await ordinals(), run(9952, 10_001));
  await page.reload();
  assert.deepEqual(await ordinals(), run(9952, 10_001));
  assert.equal(await box(page).inputValue(), "");
  // Nothing to send: said so, and nothing is lost.
  await box(page).fill("   ");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("alert").filter({ hasText: "Write something first." }).waitFor();
  await page.goto(server.url + "/rooms");
  await page.getByLabel("Name").fill("Garden");
  await page.getByRole("button", { name: "Make the room" }).click();
  await page.getByRole("heading", { name: "Garden", level: 1 }).waitFor();
  await page.locator("summary.own-row").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/\/sign-in$/);
}, { timeout: 120_000 });

test("where the client cannot start, the forms still work", async t => {
  t.allow(/ERR_FAILED|Failed to fetch|\.wasm/);
  const server = await t.server();
  const login = await server.setUp();
  const page = await t.page(server, undefined, { login });
  let asked = 0;
  await page.route(/\.wasm(\?|$)/, route => {
    asked += 1;
    return route.abort();
  });
  await page.goto(server.url + "/");
  await until(() => asked > 0, "the client was asked for");
  await say(page, "By the form, then");
  await storedOnce(page, "By the form, then");
  await box(page).fill("And by the button");
  await page.getByRole("button", { name: "Send" }).click();
  await storedOnce(page, "And by the button");
  assert.deepEqual(await texts(page), ["By the form, then", "And by the button"]);
  assert.equal(await page.locator('html[data-live="1"]').count(), 0);
});

test("on a phone", async t => {
  const server = await t.server();
  const login = await server.setUp();
  const page = await t.page(server, "/rooms", { login, ...SIZES.phone });
  await settled(page);
  const fits = async () => {
    const { wide, view } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, view: innerWidth }));
    assert(wide <= view, `${page.url()} is ${wide} px wide on ${view}`);
  };
  const sidebar = page.locator(".sidebar");
  assert(await sidebar.isVisible(), "the list is the page");
  await fits();
  await sidebar.getByRole("link", { name: "General" }).tap();
  await page.waitForURL(/\/r\//);
  await box(page).waitFor();
  assert(!(await sidebar.isVisible()), "the room is the page");
  await fits();
  await box(page).tap();
  await box(page).fill("From the train");
  await page.getByRole("button", { name: "Send" }).tap();
  await storedOnce(page, "From the train");
  await page.getByRole("link", { name: "All rooms", exact: true }).tap();
  await page.waitForURL(/\/rooms$/);
  await sidebar.waitFor();
  await page.goBack();
  await box(page).waitFor();
  await storedOnce(page, "From the train");
  await page.reload();
  await settled(page);
  await storedOnce(page, "From the train");
  await fits();
});

test("what comes while one looks elsewhere stands under “New since”, unread until one looks", async t => {
  const server = await t.server();
  const [ada, bo] = await two(t, server);
  // As when another window is in front; what a page cannot be told by a script is whether it has the focus.
  const look = here =>
    ada.evaluate(here => {
      document.hasFocus = () => here;
      dispatchEvent(new Event(here ? "focus" : "blur"));
    }, here);
  const lines = () => ada.locator(".timeline > li").evaluateAll(all => all.map(li => (li.matches(".day.new") ? "NEW" : (li.querySelector(".text p")?.firstChild.data ?? ""))).filter(Boolean));
  const unread = async () => {
    const { text } = await server.request("/rooms", { cookie: ada.cookie });
    return text.match(/(\d+) unread/)?.[1] ?? "0";
  };
  ada.cookie = await server.signIn();
  await say(bo, "Before");
  await storedOnce(ada, "Before");
  await until(async () => (await unread()) === "0", "what is looked at is read");

  await look(false);
  for (const text of ["Meanwhile 1", "Meanwhile 2"]) {
    await say(bo, text);
    await storedOnce(ada, text);
  }
  assert.deepEqual(await lines(), ["Before", "NEW", "Meanwhile 1", "Meanwhile 2"]);
  // Longer than a row has to be seen before it counts as read.
  await ada.waitForTimeout(2500);
  assert.equal(await unread(), "2");

  await look(true);
  await until(async () => (await unread()) === "0", "what one looks at again is read");
  await say(bo, "After");
  await storedOnce(ada, "After");
  assert.deepEqual(await lines(), ["Before", "NEW", "Meanwhile 1", "Meanwhile 2", "After"]);
  await until(async () => (await unread()) === "0", "that, too");

  // Away again: the line goes to what is new now.
  await look(false);
  await say(bo, "Later");
  await storedOnce(ada, "Later");
  assert.deepEqual(await lines(), ["Before", "Meanwhile 1", "Meanwhile 2", "After", "NEW", "Later"]);
});
