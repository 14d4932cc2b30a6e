// Pictures of every page at three sizes, light and dark, into target/look/<state>-<size>-<theme>.png; exit 1 on any
// console error. `node e2e/look.mjs [word …]` takes only those whose name contains one of the words.
//
// A state is a line of STATES. It names the server (fresh: nothing set up; alone: one account; demo), who looks, and the
// path; `act` does what a link cannot. A new state is a new line.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { closeBrowser, live, openPage, Server, SIZES, target } from "./support.mjs";

const STATES = [
  { name: "first-run", server: "fresh", path: "/setup" },
  { name: "alone", server: "alone", login: true, path: "/" },
  { name: "join", server: "alone", path: at => at.join },
  { name: "sign-in", server: "demo", path: "/sign-in" },
  { name: "full-room", server: "demo", login: true, path: at => at.room },
  { name: "big-room", server: "demo", login: true, path: at => at.bigRoom },
  { name: "rooms", server: "demo", login: true, path: "/rooms", sizes: ["desktop", "tablet"] },
  // Below 720 px the list of rooms is a page of its own.
  { name: "list", server: "demo", login: true, path: "/rooms", sizes: ["phone"] },
  { name: "not-found", server: "demo", login: true, path: "/no/such/page", allow: /status of 404/ },
];
const THEMES = ["light", "dark"];

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
    return { server, login, ...(await rooms(server, login)) };
  },
};

/** The room that one arrives in, and the one with the most messages besides. */
async function rooms(server, cookie) {
  const { location } = await server.request("/", { cookie });
  const room = new URL(location, server.url).pathname;
  const { text } = await server.request(room, { cookie });
  const links = new Set([...text.matchAll(/href="(\/r\/\w+)"/g)].map(([, path]) => path));
  links.delete(room);
  let bigRoom = room;
  let most = 0;
  for (const path of links) {
    const page = await server.request(path, { cookie });
    const ordinals = [...page.text.matchAll(/data-ordinal="?(\d+)/g)].map(([, ordinal]) => Number(ordinal));
    const newest = Math.max(0, ...ordinals);
    if (newest > most) [bigRoom, most] = [path, newest];
  }
  return { room, bigRoom };
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
    colorScheme: theme,
    reducedMotion: "reduce",
    login: state.login && at.login,
    problems: found,
  });
  try {
    await page.goto(at.server.url + (typeof state.path === "function" ? state.path(at) : state.path));
    await live(page);
    await state.act?.(page, at);
    await page.evaluate(() => document.fonts.ready.then(() => {}));
    await page.waitForLoadState("networkidle", { timeout: 2000 }).catch(() => {});
  } catch (fault) {
    found.push({ kind: "fault", text: String(fault.message ?? fault) });
  }
  // A page that is not well is worth a picture all the more.
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await page.context().close();
  const bad = found.filter(({ text }) => !state.allow?.test(text));
  console.log(`${bad.length ? "not ok" : "ok"} ${name}`);
  for (const { kind, text } of bad) console.log(`    ${kind}: ${text}`);
  problems += bad.length;
}

await closeBrowser();
for (const { server } of Object.values(started)) await server.stop();
console.log(`${pictures.length} pictures in ${folder}, ${problems} problems`);
process.exit(problems || !pictures.length ? 1 : 0);
