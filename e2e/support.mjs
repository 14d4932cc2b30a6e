// What the journeys stand on: a real server on a port of its own, a real browser, and a small runner.
//
//   import { test } from "./support.mjs";
//   test("a wrong password is refused", async t => {
//     const server = await t.server();                  // fresh data folder; { demo: true } fills it first
//     await server.setUp();                             // workspace and first account, over plain HTTP
//     const page = await t.page(server, "/sign-in");    // a browser profile of its own
//     …
//   });
//
// A test also fails on any console error, uncaught exception or Content-Security-Policy violation that it did not
// allow with t.allow(/…/). Servers, pages and folders go away at its end. `node e2e/run.mjs [word …]` runs the tests
// whose "file: name" contains one of the words. BECK_BIN names another server, BECK_CHROMIUM another browser.
// Tests run side by side, BECK_TOGETHER at a time, each worker with a browser of its own; what must have the machine to
// itself says { alone: true } and runs after them.

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { cuttingProxy } from "./proxy.mjs";

export const root = fileURLToPath(new URL("..", import.meta.url));
export const target = resolve(root, process.env.CARGO_TARGET_DIR ?? "target");
export const program = process.env.BECK_BIN ?? join(target, "dx/beck/release/web/server");

if (!existsSync(program)) {
  console.error(`There is no server at ${program}: run script/setup and script/bundle first.`);
  process.exit(1);
}

// ---- What must not outlive this process ----------------------------------------------------------------------------

const children = new Set();
const folders = new Set();
process.on("exit", () => {
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(130));

export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), "beck-e2e-"));
  folders.add(folder);
  return folder;
}

function removeFolder(folder) {
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

export async function freePort() {
  const listener = createServer().listen(0, "127.0.0.1");
  await new Promise((done, fail) => listener.once("listening", done).once("error", fail));
  const { port } = listener.address();
  await new Promise(done => listener.close(done));
  return port;
}

// ---- The server ----------------------------------------------------------------------------------------------------

export const FIRST = { workspace: "Otter Works", name: "Ada Ek", handle: "ada", password: "correct horse" };

/** A server process and its data folder. The folder outlives stop() and start(), and goes with close(). */
export class Server {
  /** The output of all its runs. */
  log = "";
  /** After { demo: true }: [{ name, path }], a link for each person. */
  links = [];

  constructor({ data, env = {} } = {}) {
    this.home = temporaryFolder();
    this.data = data ?? join(this.home, "data");
    this.env = env;
  }

  static async start({ demo = false, port, ...options } = {}) {
    const server = new Server(options);
    try {
      server.port = port ?? (await freePort());
      if (demo) await server.fillWithDemo();
      for (let tries = 1; ; tries++) {
        try {
          await server.start();
          return server;
        } catch (fault) {
          // Somebody may have taken the port since it was looked up.
          if (port || tries === 3 || !/taken|in use/i.test(server.log)) throw fault;
          server.port = await freePort();
        }
      }
    } catch (fault) {
      await server.close();
      throw fault;
    }
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  get running() {
    return this.child !== undefined;
  }

  #spawn(...words) {
    // Nothing of the person's own settings reaches it; the working folder has no .env above it.
    const { PATH, HOME, TMPDIR = tmpdir(), RUST_BACKTRACE = "1" } = process.env;
    const own = { IP: "127.0.0.1", PORT: String(this.port), DATA_DIR: this.data };
    const env = { PATH, HOME, TMPDIR, RUST_BACKTRACE, LOG: "info", ...own, ...this.env };
    const child = spawn(program, words, { cwd: this.home, env, stdio: ["ignore", "pipe", "pipe"] });
    children.add(child);
    child.output = "";
    let ready;
    child.ready = new Promise(done => (ready = done));
    const take = chunk => {
      child.output += chunk;
      this.log += chunk;
      if (child.output.includes("Beck is ready:")) ready("ready");
    };
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    child.ended = new Promise(done => {
      child.once("error", fault => done({ fault }));
      child.once("close", (code, signal) => done({ code, signal }));
    }).then(end => {
      children.delete(child);
      if (this.child === child) this.child = undefined;
      return end;
    });
    return child;
  }

  /** Runs a command on the data folder, as `beck backup FILE`; answers with what it printed. */
  async command(...words) {
    const child = this.#spawn(...words);
    const { code, fault } = await child.ended;
    if (code !== 0) throw new Error(`beck ${words.join(" ")} failed (${fault ?? `exit ${code}`}):\n${child.output}`);
    return child.output;
  }

  async fillWithDemo() {
    const output = await this.command("demo");
    this.links = [...output.matchAll(/^Sign in as (.+): (\S+)$/gm)].map(([, name, link]) => ({
      name,
      path: new URL(link).pathname,
    }));
    assert(this.links.length > 0, `beck demo printed no links:\n${output}`);
  }

  /** Starts the process and waits until it says that it is ready. */
  async start() {
    assert(!this.running, "the server runs already");
    const child = (this.child = this.#spawn("serve"));
    const late = sleep(30_000, "late", { ref: false });
    const first = await Promise.race([child.ready, child.ended, late]);
    if (first === "ready") return;
    child.kill("SIGKILL");
    throw new Error(`The server did not start (${first === "late" ? "30 s" : JSON.stringify(first)}):\n${this.log}`);
  }

  /** Ends it as an operator would; it must drain and exit 0. */
  async stop() {
    const { child } = this;
    if (!child) return;
    child.kill("SIGTERM");
    const end = await Promise.race([child.ended, sleep(15_000, undefined, { ref: false })]);
    if (!end) {
      child.kill("SIGKILL");
      await child.ended;
      throw new Error("The server did not stop within 15 s of SIGTERM.");
    }
    assert.equal(end.code, 0, `the server ended with ${JSON.stringify(end)}:\n${this.log.slice(-2000)}`);
  }

  /** Ends it as a power cut would. */
  async kill() {
    const { child } = this;
    child?.kill("SIGKILL");
    await child?.ended;
  }

  async restart() {
    await this.stop();
    await this.start();
  }

  async close() {
    await this.kill();
    removeFolder(this.home);
  }

  /** A request as a page without scripts would send it. `cookie` is what an earlier answer had. */
  async request(path, { method = "GET", fields, cookie, headers = {} } = {}) {
    const response = await fetch(this.url + path, {
      method: fields ? "POST" : method,
      redirect: "manual",
      headers: { origin: this.url, ...(cookie && { cookie }), ...headers },
      body: fields && new URLSearchParams(fields),
    });
    return {
      status: response.status,
      location: response.headers.get("location"),
      cookie: response.headers.getSetCookie().map(line => line.split(";")[0])[0] ?? cookie,
      headers: response.headers,
      text: await response.text(),
    };
  }

  async #signedIn(what, answer) {
    assert([302, 303].includes(answer.status) && answer.cookie, `${what} failed: ${answer.status}\n${answer.text.slice(0, 2000)}`);
    return answer.cookie;
  }

  /** Makes the workspace and its first account; answers with the cookie of the login. */
  async setUp(fields = {}) {
    return this.#signedIn("setting up", await this.request("/setup", { fields: { ...FIRST, ...fields } }));
  }

  /** The path of the link by which others join; shown while the first account is alone. */
  async joinPath(cookie) {
    let { location, text } = await this.request("/", { cookie });
    if (location) ({ text } = await this.request(new URL(location, this.url).pathname, { cookie }));
    const found = text.match(/\/join\/[\w-]+/);
    assert(found, "the page shows no link to join");
    return found[0];
  }

  /** Makes a further account by the link; answers with its cookie. */
  async join(path, { name = "Bo Lind", handle = "bo", password = "battery staple" } = {}) {
    return this.#signedIn("joining", await this.request(path, { fields: { name, handle, password } }));
  }

  async signIn({ handle = FIRST.handle, password = FIRST.password } = {}) {
    return this.#signedIn("signing in", await this.request("/sign-in", { fields: { handle, password } }));
  }

  /** Opens a link of the demo and presses its button, once for each link; answers with the cookie. */
  async enter(path = this.links[0].path) {
    this.#entered.set(path, this.#entered.get(path) ?? this.#press(path));
    return this.#entered.get(path);
  }

  async #press(path) {
    const page = await this.request(path);
    assert.equal(page.status, 200, `the link of the demo: ${page.status}`);
    return this.#signedIn("the link of the demo", await this.request(path, { fields: {} }));
  }

  /** The cookie of each link that was used: a link works once. */
  #entered = new Map();
}

// ---- The browser ---------------------------------------------------------------------------------------------------

function browserPath() {
  if (process.env.BECK_CHROMIUM) return process.env.BECK_CHROMIUM;
  const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  const paths = names.flatMap(name => process.env.PATH.split(delimiter).map(folder => join(folder, name)));
  paths.push("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome");
  const found = paths.find(path => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  if (!found) throw new Error("There is no Chromium here: run script/setup test, or name one in BECK_CHROMIUM.");
  return found;
}

/** What a worker of the runner has to itself; who runs without workers has one for all. */
const worker = new AsyncLocalStorage();
const single = {};

/** The worker's browser; every page gets a profile of its own. It reaches this machine only. */
export async function openBrowser() {
  const own = worker.getStore() ?? single;
  own.browser ??= chromium.launch({
    executablePath: browserPath(),
    args: [
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-gpu",
      "--disable-quic",
      "--disable-sync",
      "--no-first-run",
      "--no-proxy-server",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
    ],
  });
  return own.browser;
}

export async function closeBrowser() {
  const own = worker.getStore() ?? single;
  await (await own.browser)?.close();
  own.browser = undefined;
}

/** The sizes that the look is judged at. */
export const SIZES = {
  desktop: { viewport: { width: 1280, height: 800 } },
  tablet: { viewport: { width: 820, height: 1180 }, hasTouch: true },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
};

/** Puts into `problems` whatever goes wrong in a page, as { kind: "console" | "exception" | "csp" | "crash", text }. */
export function watch(page, problems) {
  const add = (kind, text) => problems.push({ kind, text, at: page.url() });
  page.on("console", message => {
    const text = message.text();
    const where = message.location().url;
    if (/Content Security Policy/i.test(text)) add("csp", text);
    else if (message.type() === "error") add("console", where && !text.includes(where) ? `${text} (${where})` : text);
  });
  page.on("pageerror", fault => add("exception", String(fault.stack ?? fault)));
  page.on("crash", () => add("crash", "the page crashed"));
}

/** A page with a profile of its own. `login` is a cookie as Server.setUp answers with; the rest is Playwright's. */
export async function openPage(server, path, { login, problems = [], ...options } = {}) {
  const opened = await openBrowser();
  const context = await opened.newContext({ ...SIZES.desktop, locale: "en-GB", timezoneId: "UTC", ...options });
  context.setDefaultTimeout(10_000);
  context.setDefaultNavigationTimeout(45_000); // some journeys slow the page down, and another one runs beside them
  if (login) {
    const [name, ...value] = login.split("=");
    await context.addCookies([{ name, value: value.join("="), url: server.url, httpOnly: true, sameSite: "Lax" }]);
  }
  context.on("page", page => watch(page, problems));
  const page = await context.newPage();
  if (path) await page.goto(server.url + path);
  return page;
}

/** Waits until the page is more than its HTML: hydrated and listening. */
export async function live(page) {
  await page.locator('html[data-live="1"]').waitFor({ state: "attached" });
}

/** Waits until `holds` answers with something true, and answers with that. Asked from here: a page forbids eval. */
export async function until(holds, what, timeout = 20_000) {
  const end = Date.now() + timeout;
  for (;;) {
    const answer = await holds();
    if (answer) return answer;
    assert(Date.now() < end, `still not so: ${what}`);
    await sleep(50);
  }
}

/** Fails on anything that axe-core finds; `ignore` are ids of its rules. */
export async function assertAccessible(page, { ignore = [] } = {}) {
  const source = readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8");
  // Straight to the engine: the page's own policy forbids eval, as it should.
  const engine = await page.context().newCDPSession(page);
  const evaluate = async expression => {
    const answer = await engine.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    assert(!answer.exceptionDetails, answer.exceptionDetails?.exception?.description);
    return answer.result.value;
  };
  await evaluate(`${source};undefined`);
  // What fades in has not the colour yet that it will have.
  await evaluate(`Promise.allSettled(document.getAnimations().filter(one => one.effect.getComputedTiming().endTime < Infinity).map(one => one.finished)).then(() => {})`);
  const rules = Object.fromEntries(ignore.map(id => [id, { enabled: false }]));
  const found = await evaluate(
    `axe.run(document, ${JSON.stringify({ rules, resultTypes: ["violations"] })}).then(r => r.violations.map(v =>
      v.id + " (" + v.impact + "): " + v.help + "\\n" + v.nodes.slice(0, 3).map(n => "    " + n.html).join("\\n")))`,
  );
  await engine.detach();
  assert(found.length === 0, `${page.url()} is not accessible:\n  ${found.join("\n  ")}`);
}

// ---- The runner ----------------------------------------------------------------------------------------------------

const tests = [];
let file = "";

/** Names the file whose tests come next (run.mjs does it). */
export function testsOf(name) {
  file = name;
}

/** A test; at most `timeout` milliseconds long. `alone`: it runs when no other does. */
export function test(name, body, { timeout = 60_000, alone = false } = {}) {
  tests.push({ name: `${file}: ${name}`, body, timeout, alone });
}

class Run {
  problems = [];
  allowed = [];
  servers = [];
  pages = [];
  after = [];

  /** A server of this test's own, see Server.start. */
  async server(options) {
    const server = await Server.start(options);
    this.servers.push(server);
    this.after.push(() => server.close());
    return server;
  }

  /** A page in a profile of its own, see openPage. */
  async page(server, path, options) {
    const page = await openPage(server, path, { ...options, problems: this.problems });
    this.pages.push(page);
    this.after.push(() => page.context().close());
    return page;
  }

  /** A way to the server on which things go wrong, see proxy.mjs. */
  async proxy(server) {
    const way = await cuttingProxy(server);
    this.after.push(() => way.close());
    return way;
  }

  /** Console errors and the like that belong to this test. */
  allow(...patterns) {
    this.allowed.push(...patterns);
  }

  /** Done at the end, last one first. */
  defer(what) {
    this.after.push(what);
  }

  unexpected() {
    return this.problems.filter(({ text }) => !this.allowed.some(pattern => pattern.test(text)));
  }
}

async function runOne({ name, body, timeout }) {
  const t = new Run();
  const faults = [];
  const clock = new AbortController();
  const late = sleep(timeout, undefined, { signal: clock.signal }).then(
    () => Promise.reject(new Error(`not done after ${timeout / 1000} s`)),
    () => {},
  );
  try {
    await Promise.race([body(t), late]);
  } catch (fault) {
    faults.push(fault.stack ?? String(fault));
  }
  clock.abort();
  for (const { kind, text, at } of t.unexpected()) faults.push(`${kind} on ${at}: ${text}`);
  if (faults.length) {
    const folder = join(target, "e2e");
    mkdirSync(folder, { recursive: true });
    for (const [index, page] of t.pages.entries()) {
      const path = join(folder, `${name.replace(/[^a-z0-9]+/gi, "-")}-${index + 1}.png`);
      await page.screenshot({ path, timeout: 5000 }).then(
        () => faults.push(`picture: ${path}`),
        () => {},
      );
    }
    for (const { log } of t.servers) if (log) faults.push(`server: ${log.trimEnd().split("\n").slice(-20).join("\n")}`);
  }
  for (const step of t.after.reverse()) {
    try {
      await step();
    } catch (fault) {
      faults.push(`at the end: ${fault.stack ?? fault}`);
    }
  }
  return faults;
}

/** Runs what matches one of the words (all without words) and answers with the exit code. */
export async function runTests(words = []) {
  const wanted = words.map(word => word.toLowerCase());
  const chosen = tests.filter(({ name }) => !wanted.length || wanted.some(word => name.toLowerCase().includes(word)));
  const together = Number(process.env.BECK_TOGETHER || 2);
  let failed = 0;
  const work = async queue => {
    for (let one = queue.shift(); one; one = queue.shift()) {
      const began = Date.now();
      const faults = await runOne(one);
      if (faults.length) failed += 1;
      console.log(`${faults.length ? "not ok" : "ok"} ${one.name} # ${((Date.now() - began) / 1000).toFixed(1)} s`);
      for (const fault of faults) console.log(fault.replace(/^/gm, "    "));
    }
    await closeBrowser();
  };
  const queues = [
    { queue: chosen.filter(({ alone }) => !alone), workers: together },
    { queue: chosen.filter(({ alone }) => alone), workers: 1 },
  ];
  for (const { queue, workers } of queues) {
    const count = Math.min(workers, queue.length);
    await Promise.all(Array.from({ length: count }, () => worker.run({}, () => work(queue))));
  }
  console.log(`${chosen.length - failed} passed, ${failed} failed`);
  return failed || !chosen.length ? 1 : 0;
}
