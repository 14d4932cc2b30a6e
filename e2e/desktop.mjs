// node e2e/desktop.mjs PROGRAM [word …]: the journeys of the desktop app, within dbus-run-session. They leave pictures in
// target/look/desktop.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { App, desk } from "./desk.mjs";
import { NO_SERVER, online, say, settled, storedOnce } from "./room.mjs";
import { freePort, runTests, test, testsOf, until } from "./support.mjs";

const [program, ...words] = process.argv.slice(2);
const BO = { handle: "bo", password: "battery staple" };
// Places in the window.
const COMPOSER = -46, PLUS = [123, 17], LAST = [420, -92];
testsOf("desktop");

/** A journey leaves a picture of where it ended badly. */
function journey(name, body) {
  test(name, async t => {
    const journey = {};
    try {
      await body(t, journey);
    } catch (fault) {
      await journey.app?.picture(`failed-${name.slice(0, 30).replace(/\W+/g, "-")}`).catch(() => {});
      throw fault;
    }
  }, { timeout: 240_000 });
}

/** A server with Ada in a browser, and the app on a desk of its own. */
async function scene(t, journey) {
  const server = await t.server();
  const login = await server.setUp();
  await server.join(await server.joinPath(login));
  const way = await t.proxy(server);
  const ada = await t.page(server, "/", { login });
  await settled(ada);
  const on = await desk(t);
  const app = (journey.app = new App(t, on, program));
  return { server, way, ada, on, app };
}

/** The first field of a form at the door, filled and sent. */
async function fill(app, text) {
  await app.focus();
  await app.blank();
  await app.key("Tab", "ctrl+a");
  await app.enter(text);
}

async function signIn(app, address) {
  await fill(app, address);
  await app.shows("Password");
  await fill(app, `${BO.handle}\t${BO.password}`);
}

/** Signed in, and in General. */
async function inside(t, journey) {
  const all = await scene(t, journey);
  await all.app.start();
  await all.app.shows("Address");
  await signIn(all.app, all.way.url);
  await say(all.ada, "Hello from the browser");
  await all.app.shows("Hello from the browser");
  return all;
}

/** Writes into the composer. */
async function write(app, text) {
  await app.focus();
  await app.click(640, COMPOSER);
  await app.enter(text);
}

journey("a first start finds the server, says what is wrong, signs in, and talks with a browser", async (t, journey) => {
  const { way, ada, app, on } = await scene(t, journey);
  console.log(`the window after ${await app.start()} ms`);
  await app.shows("Address");
  await app.picture("1-first-start");
  const other = createServer((_, answer) => answer.writeHead(404).end("nothing here"));
  await new Promise(done => other.listen(0, "127.0.0.1", done));
  t.defer(() => other.close());
  const tries = [["no address", "This is no address"], [`127.0.0.1:${await freePort()}`, "Nothing answers"], [`127.0.0.1:${other.address().port}`, "not a Beck server"]];
  for (const [address, why] of tries) {
    await fill(app, address);
    await app.shows(why);
    await app.picture(`2-${why.replace(/ /g, "-").toLowerCase()}`);
  }
  await signIn(app, way.url);
  await say(ada, "Hello from the browser");
  await app.shows("Hello from the browser");
  await write(app, "Hello from the app");
  await storedOnce(ada, "Hello from the app");
  await app.picture("3-talking");
  const link = "http://127.0.0.1:1/a-page";
  await say(ada, link);
  await app.shows(link);
  await app.click(...LAST);
  await until(() => on.opened().includes(link), "the system's browser opens a link");
  await app.shows(link);
});

journey("it receives, counts and notifies while its window is hidden, and a click leads to the message", async (t, journey) => {
  const { server, ada, app, on } = await inside(t, journey);
  await app.hide();
  await say(ada, "@bo, are you there?");
  await until(() => app.keeps("are you there?"), "it is on the disk", 30_000);
  await until(async () => (await app.title()) === "(1) Beck", "the title counts");
  await until(async () => (await on.notes("count", "displayed")) === "1", "one notification stands");
  await app.picture("4-hidden");
  await on.notes("action");
  await until(async () => (await on.x("getactivewindow").catch(() => "")) === app.window, "the window comes forward");
  await app.shows("are you there?");
  await app.picture("5-opened-by-a-notification");
  await until(async () => (await app.title()) === "Beck", "it was read");
  // What is read elsewhere is told no more.
  await app.hide();
  await say(ada, "@bo, once more");
  await until(async () => (await on.notes("count", "displayed")) === "1", "one notification stands");
  const bo = await t.page(server, "/", { login: await server.signIn(BO) });
  await settled(bo);
  await until(async () => (await on.notes("count", "displayed")) === "0", "it is closed");
  await until(async () => (await app.title()) === "Beck", "nothing waits");
});

journey("a restart of the server and a cut lose nothing on either side", async (t, journey) => {
  const { server, way, ada, app } = await inside(t, journey);
  t.allow(...NO_SERVER);
  await server.stop();
  await write(app, "Written without a server");
  await app.shows("Written without a server");
  await app.picture("6-server-away");
  await server.start();
  await online(ada);
  await storedOnce(ada, "Written without a server");
  way.cut();
  await say(ada, "Said during the cut");
  way.mend();
  await app.shows("Said during the cut");
  assert(way.counts.cut > 0);
  await write(app, "And after it");
  await storedOnce(ada, "And after it");
});

journey("it opens where it was, with what it showed, without a connection; what is written then goes out", async (t, journey) => {
  const { server, ada, app, on } = await inside(t, journey);
  t.allow(...NO_SERVER);
  await on.x("windowsize", "--sync", app.window, 900, 640);
  await on.x("windowmove", "--sync", app.window, 140, 60);
  const was = await app.place();
  await write(app, "Before the end");
  await storedOnce(ada, "Before the end");
  await app.quit();
  await server.stop();
  await app.start();
  await app.shows("Hello from the browser");
  await app.shows("Before the end");
  await app.picture("7-offline-with-content");
  assert.deepEqual((await app.place()).slice(2), was.slice(2));
  await write(app, "Written offline");
  await app.quit();
  await server.start();
  await online(ada);
  await app.start();
  await storedOnce(ada, "Written offline");
});

journey("there is one app at a time: another start shows the first", async (t, journey) => {
  const { app, on } = await inside(t, journey);
  await app.hide();
  const other = app.spawn();
  assert.equal(await Promise.race([other.ended, sleep(15_000, "never", { ref: false })]), 0);
  await until(async () => (await on.x("getactivewindow").catch(() => "")) === app.window, "the window comes forward");
});

journey("two servers stand side by side", async (t, journey) => {
  const { app } = await inside(t, journey);
  const second = await t.server();
  await second.join(await second.joinPath(await second.setUp({ workspace: "Second Place" })));
  await app.click(...PLUS);
  await app.shows("Address");
  await signIn(app, second.url);
  await app.shows("Second Place");
  await app.picture("8-two-servers");
});

process.exit(await runTests(words));
