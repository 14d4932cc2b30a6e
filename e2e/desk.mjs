// A screen of its own with a window manager, notifications and the desktop app, worked by keyboard and mouse as a person
// would. What the window shows is read by copying it.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { target, temporaryFolder, until } from "./support.mjs";

/** The zone of the person at the desk: not the server's, nor the browser's. */
export const ZONE = "Asia/Tokyo";
const SCREEN = "1280x800x24";
const LONG = 60_000;
const PICTURES = join(target, "look", "desktop");
const run = promisify(execFile);

function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  return new Promise(done => child.once("exit", done));
}

/** A bus that starts nothing by itself: what is on it was started here. */
async function bus(t, home) {
  const config = join(home, "bus.conf");
  writeFileSync(config, `<busconfig><type>session</type><listen>unix:path=${home}/bus</listen><auth>EXTERNAL</auth><policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`);
  const child = spawn("dbus-daemon", [`--config-file=${config}`, "--nofork", "--print-address"], { stdio: ["ignore", "pipe", "ignore"] });
  t.defer(() => stop(child));
  return new Promise((done, fail) => {
    child.stdout.once("data", text => done(String(text).trim()));
    child.once("exit", () => fail(new Error("dbus-daemon does not run")));
  });
}

/** A screen. The programs on it end with the test. */
export async function desk(t) {
  const home = temporaryFolder();
  const screen = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", SCREEN, "-nolisten", "tcp"], { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  t.defer(() => stop(screen));
  const number = await new Promise((done, fail) => {
    screen.stdio[3].once("data", text => done(String(text).trim()));
    screen.once("exit", () => fail(new Error("Xvfb does not run")));
  });
  const { PATH, LANG = "C.UTF-8" } = process.env;
  const opened = join(home, "opened"), browser = join(home, "browser");
  writeFileSync(browser, `#!/bin/sh\necho "$1" >>${opened}\n`);
  chmodSync(browser, 0o755);
  const env = {
    PATH, LANG, HOME: home, DBUS_SESSION_BUS_ADDRESS: await bus(t, home), XDG_RUNTIME_DIR: home, DISPLAY: `:${number}`, BROWSER: browser, TZ: ZONE,
    GTK_THEME: "Adwaita", WEBKIT_DISABLE_DMABUF_RENDERER: "1", LIBGL_ALWAYS_SOFTWARE: "1", NO_AT_BRIDGE: "1",
  };
  // A notification stands until somebody closes it.
  const rules = join(home, "dunstrc");
  writeFileSync(rules, "[global]\nfollow = none\n[urgency_normal]\ntimeout = 0\n");
  const start = (program, ...words) => {
    const child = spawn(program, words, { env, stdio: ["pipe", "ignore", "inherit"] });
    t.defer(() => stop(child));
    return child;
  };
  start("openbox");
  start("dunst", "-conf", rules);
  const answers = (program, ...words) => run(program, words, { env }).then(({ stdout }) => stdout || true, () => false);
  await until(() => answers("dunstctl", "count", "displayed"), "notifications are shown", LONG);
  return {
    env, home,
    /** Addresses that the system's browser was given. */
    opened: () => (existsSync(opened) ? readFileSync(opened, "utf8").trim().split("\n") : []),
    async x(...words) { return (await run("xdotool", words.map(String), { env })).stdout.trim(); },
    async notes(...words) { return (await run("dunstctl", words, { env })).stdout.trim(); },
    /** A keyring that is open; gives what looks a secret of the app up in it. */
    async keyring() {
      start("gnome-keyring-daemon", "--foreground", "--components=secrets", "--unlock").stdin.end("of a test");
      const find = () => answers("secret-tool", "search", "--all", "service", "chat.beck.Beck");
      await until(() => answers("secret-tool", "search", "--all", "service", "nobody"), "the keyring answers", LONG);
      return async () => /^secret = (.*)$/m.exec(await find())?.[1];
    },
  };
}

/** The app on a desk. What it keeps lies in a folder of its own, which outlives it. */
export class App {
  constructor(t, on, program) {
    Object.assign(this, { on, program, folder: join(on.home, ".local/share/beck"), said: "" });
    t.defer(() => assert.doesNotMatch(this.said, /^Beck: /m, "the app has nothing to complain about"));
    t.defer(() => this.child && stop(this.child));
  }

  spawn() {
    const child = spawn(this.program, [], { env: this.on.env, stdio: ["ignore", "inherit", "pipe"] });
    child.stderr.on("data", text => {
      this.said += text;
      process.stderr.write(text);
    });
    child.ended = new Promise(done => child.once("exit", (code, signal) => done(signal ?? code)));
    return child;
  }

  /** Starts it and waits for its window; gives the milliseconds until that. */
  async start() {
    const began = Date.now();
    this.child = this.spawn();
    const found = async () => (await this.on.x("search", "--onlyvisible", "--pid", this.child.pid).catch(() => "")).split("\n").at(-1);
    this.window = await until(found, "the app has a window", LONG);
    await this.on.x("windowactivate", "--sync", this.window);
    return Date.now() - began;
  }

  /** Quits by the key for it; the app has to end by itself, and well. */
  async quit(key = "ctrl+q") {
    await this.focus();
    await this.on.x("key", "--clearmodifiers", key);
    const end = await Promise.race([this.child.ended, sleep(15_000, "never", { ref: false })]);
    assert.equal(end, 0, "the app quits by itself");
  }

  focus() { return this.on.x("windowactivate", "--sync", this.window); }
  title() { return this.on.x("getwindowname", this.window); }
  hide() { return this.on.x("windowminimize", "--sync", this.window); }

  async place() {
    const lines = (await this.on.x("getwindowgeometry", "--shell", this.window)).split("\n");
    const { X, Y, WIDTH, HEIGHT } = Object.fromEntries(lines.map(line => line.split("=")));
    return [X, Y, WIDTH, HEIGHT].map(Number);
  }

  /** A click at a place in the window; from its right and lower edge if below zero. */
  async click(x, y) {
    const [, , width, height] = await this.place();
    await this.on.x("mousemove", "--window", this.window, x < 0 ? width + x : x, y < 0 ? height + y : y, "click", 1);
  }

  async key(...keys) { await this.on.x("key", "--clearmodifiers", "--delay", 30, ...keys); }
  async type(text) { await this.on.x("type", "--clearmodifiers", "--delay", 40, text); }

  /** A line, and Enter. The web view takes keys one at a time, and a click that comes next would overtake those that wait. */
  async enter(text) {
    await this.type(text);
    await this.key("Return");
    await sleep(500 + 40 * text.length);
  }

  /** A click where nothing is: what comes next in the page is the next for the Tab key. */
  blank() { return this.click(-40, -300); }

  /** All that can be selected in the window, as text. */
  async text() {
    await this.focus();
    await this.blank();
    await this.key("ctrl+a", "ctrl+c");
    await this.blank();
    const { stdout } = await run("xclip", ["-o", "-selection", "clipboard", "-t", "UTF8_STRING"], { env: this.on.env }).catch(() => ({ stdout: "" }));
    return stdout;
  }

  async shows(words) {
    let seen = "";
    try {
      await until(async () => (seen = await this.text()).includes(words), words, LONG);
    } catch {
      throw new Error(`The window never showed “${words}”, but:\n${seen}`);
    }
  }

  /** Whether any of its files has this text. */
  keeps(text) {
    const files = readdirSync(this.folder, { recursive: true, withFileTypes: true }).filter(file => file.isFile() && file.name.startsWith("kept"));
    return files.some(file => readFileSync(join(file.parentPath, file.name)).includes(text));
  }

  /** How light the window is on the whole, from 0 to 1. */
  async light() {
    const { stdout } = await run("import", ["-window", this.window, "-colorspace", "Gray", "-resize", "1x1!", "-format", "%[fx:mean]", "info:"], { env: this.on.env });
    return Number(stdout);
  }

  /** A picture of the whole screen, to be looked at. */
  async picture(name) {
    mkdirSync(PICTURES, { recursive: true });
    await sleep(200); // what was just done is drawn
    await run("import", ["-window", "root", join(PICTURES, `${name}.png`)], { env: this.on.env });
  }
}
