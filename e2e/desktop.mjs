// node e2e/desktop.mjs PROGRAM [word …]: the journeys of the desktop app. They leave pictures in target/look/desktop.

import assert from "node:assert/strict";
import { appendFileSync, cpSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { App, ZONE, desk } from "./desk.mjs";
import { NO_SERVER, online, say, settled, storedOnce } from "./room.mjs";
import { freePort, runTests, temporaryFolder, test, testsOf, until } from "./support.mjs";

const [program, ...words] = process.argv.slice(2);
const BO = { handle: "bo", password: "battery staple" };
// Places in the window.
const COMPOSER = -46, PLUS = [123, 17], LAST = [420, -92], OWN = [90, -28], SIGN_OUT = [90, -76];
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
  const invitation = await server.joinPath(login);
  await server.join(invitation);
  const way = await t.proxy(server);
  const ada = await t.page(server, "/", { login });
  await settled(ada);
  const on = await desk(t);
  const app = (journey.app = new App(t, on, program));
  return { server, way, ada, on, app, invitation };
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
  const clock = () => new Date().toLocaleTimeString("en-GB", { timeZone: ZONE, hour: "2-digit", minute: "2-digit" });
  const before = clock();
  await say(ada, "Hello from the browser");
  await app.shows("Hello from the browser");
  const shown = await app.text();
  assert([before, clock()].some(time => shown.includes(time)), "its time is that of the desk's zone");
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

journey("one joins by an invitation; the login lies in the keyring, the theme stays, and signing out takes all away", async (t, journey) => {
  const { server, way, ada, app, on, invitation } = await scene(t, journey);
  const secret = await on.keyring();
  const logins = () => readFileSync(join(app.folder, "logins.json"), "utf8");
  await app.start();
  await app.shows("Address");
  await fill(app, way.url + invitation);
  await app.shows("Your name");
  await fill(app, "Cy Moss\tcy\tshort");
  await app.shows("10 characters");
  await app.picture("9-joining");
  await fill(app, "Cy Moss\tcy\tcorrect horse battery");
  await say(ada, "Hello from the browser");
  await app.shows("Hello from the browser");
  const token = await secret();
  assert(token && logins().includes("base") && !logins().includes(token), "the keyring has the token, and no file");
  const headers = { authorization: `Bearer ${token}` };
  const knows = async () => (await fetch(`${server.url}/api/v1/login`, { headers })).status;
  assert.equal(await knows(), 204);
  assert(await app.light() > 0.7);
  await app.key("ctrl+k");
  await app.enter("dark");
  await until(async () => await app.light() < 0.3, "it is dark");
  await app.quit();
  await app.start();
  await app.shows("Hello from the browser");
  assert(await app.light() < 0.3, "and stays dark");
  await write(app, "Still signed in");
  await storedOnce(ada, "Still signed in");
  await app.click(...OWN);
  await app.picture("10-own-menu");
  await app.click(...SIGN_OUT);
  await app.shows("Address");
  await app.picture("11-signed-out");
  assert.equal(await knows(), 401);
  assert.equal(await secret(), undefined);
  assert(!app.keeps("Hello from the browser") && !logins().includes("base"), "nothing is left on the disk");
});

journey("what is written into its page does not run, and the page asks nobody but the app", async (t, journey) => {
  let asked = 0;
  const stranger = createServer((_, answer) => answer.end(String((asked += 1))));
  await new Promise(done => stranger.listen(0, "127.0.0.1", done));
  t.defer(() => stranger.close());
  const address = `http://127.0.0.1:${stranger.address().port}`;
  // The app as it is, but for one of its scripts.
  const copy = temporaryFolder(), from = dirname(dirname(program));
  for (const part of ["bin/beck", "lib/Beck"]) cpSync(join(from, part), join(copy, part), { recursive: true });
  const assets = join(copy, "lib/Beck/assets");
  const script = readdirSync(assets).find(name => /^desktop-.*\.js$/.test(name));
  appendFileSync(join(assets, script), `addEventListener("load", () => {
    const tell = "fetch('/fault', { method: 'POST', body: 'it ran' })", box = document.createElement("div"), inline = document.createElement("script");
    box.innerHTML = '<img src="${address}/picture" onerror="' + tell + '"><iframe src="${address}/frame"></iframe>';
    inline.textContent = tell;
    document.body.append(box, inline);
    fetch("${address.replace("127.0.0.1", "localhost")}/fetched").catch(() => {});
  });`);
  const app = (journey.app = new App(t, await desk(t), join(copy, "bin/beck")));
  await app.start();
  await app.shows("Address");
  const refused = () => new Set(app.said.match(/refused [a-z-]+/g));
  await until(() => refused().size >= 5, "picture, frame, both scripts and request are refused", 30_000);
  assert.deepEqual([...refused()].sort(), ["refused connect-src", "refused frame-src", "refused img-src", "refused script-src-attr", "refused script-src-elem"]);
  assert(!app.said.includes("it ran") && !asked);
  app.said = "";
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
