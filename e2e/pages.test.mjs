// Each page, signed in and out: it becomes live without a word in the console, nothing shifts, hydration changes
// nothing, and a page reached by a click is the page that the server renders.

import assert from "node:assert/strict";
import { clientId, settled } from "./room.mjs";
import { FIRST, SIZES, live, test } from "./support.mjs";

/** What of a page may not differ: its elements, attributes and texts, one a line; without what is new each time. */
const outline = page => page.evaluate(() => globalThis.outlineOf(document.getElementById("main")));

/** The same of the HTML that the server sends. */
const outlineOfServer = (page, path) =>
  page.evaluate(async path => {
    const html = await (await fetch(path, { headers: { accept: "text/html" } })).text();
    return globalThis.outlineOf(new DOMParser().parseFromString(html, "text/html").getElementById("main"));
  }, path);

/** Runs in every page before its own scripts. */
function instruments() {
  globalThis.shifts = [];
  new PerformanceObserver(list => {
    for (const { value, hadRecentInput, sources } of list.getEntries()) {
      if (!hadRecentInput) globalThis.shifts.push({ value, what: sources.map(({ node }) => (node?.outerHTML ?? node?.parentElement?.outerHTML ?? "gone").slice(0, 200)) });
    }
  }).observe({ type: "layout-shift", buffered: true });
  globalThis.outlineOf = top => {
    const lines = [];
    const own = /^(nonce|data-node-hydration|data-dioxus-id)$/;
    const walk = (node, depth) => {
      let text = "";
      const say = line => lines.push("  ".repeat(depth) + line);
      const endText = () => {
        if (text.trim()) say(JSON.stringify(text));
        text = "";
      };
      for (const child of node.childNodes) {
        if (child.nodeType === Node.TEXT_NODE) text += child.data;
        if (child.nodeType !== Node.ELEMENT_NODE || ["SCRIPT", "LINK"].includes(child.nodeName)) continue;
        if (child.matches("[aria-labelledby=notices-head]")) continue; // what a browser allows, no server knows
        endText();
        // What a field holds Rust sets as a property.
        const held = ({ name, value }) => ["selected", "checked", "initial_checked"].includes(name) || (name === "value" && child.localName === "input" && (!value || child.type === "time"));
        const attributes = [...child.attributes].filter(one => !own.test(one.name) && !held(one)).map(({ name, value }) => {
          if (name === "class") value = value.split(/\s+/).filter(Boolean).sort().join(" ");
          if (name === "value" && child.name === "client_id") value = "…";
          return `${name}=${JSON.stringify(value)}`;
        });
        say([child.localName, ...attributes.sort()].join(" "));
        walk(child, depth + 1);
      }
      endText();
    };
    walk(top, 0);
    return lines.join("\n");
  };
}

async function open(t, server, path, options) {
  const page = await t.page(server, undefined, options);
  await page.addInitScript(instruments);
  await page.goto(server.url + path);
  return page;
}

const online = page => page.locator(".own-state.online").waitFor({ state: "attached" });

/** Live, connected if there is somebody to connect, and painted. */
async function settle(page, signedIn) {
  await live(page);
  if (signedIn) await online(page);
  await page.evaluate(() => document.fonts.ready);
  await page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** What becomes true with the connection, and which row is in the tab order, is not the server's to say. */
const beforeLife = text =>
  text
    .replace(/class="(online |offline )?own-state"/, 'class="own-state"')
    .replace(/"(Connecting|Online)"/, '"…"')
    .replace(/as of the page; not compared yet|compared at each heartbeat/g, "…")
    .replace(/tabindex="(0|-1)"/g, 'tabindex="…"');

async function check(t, server, path, { login, frame = Boolean(login), ...options } = {}) {
  const page = await open(t, server, path, { login, ...options });
  await settle(page, frame);
  assert.equal(new URL(page.url()).pathname, path);
  const shifts = await page.evaluate(() => globalThis.shifts);
  // At the edge of what is loaded the page asks for more at once: it differs by rights, and its link gives way.
  const edge = /\/(before|after)\//.test(path);
  const givesWay = ({ what }) => edge && what.every(html => /^(gone$|<li class="edge )/.test(html));
  assert.deepEqual(shifts.filter(shift => !givesWay(shift)), [], `${path} shifts`);
  if (edge) return page;
  const [mine, served] = [await outline(page), await outlineOfServer(page, path)];
  assert.equal(beforeLife(mine), beforeLife(served), `${path}: hydration changed the page`);
  return page;
}

test("the doors", async t => {
  t.allow(/404|410/);
  const empty = await t.server();
  await check(t, empty, "/setup");
  const server = await t.server();
  const ada = await server.setUp();
  const join = await server.joinPath(ada);
  for (const path of ["/sign-in", join, "/join/no-such-link", "/nowhere", "/nowhere/at/all"]) await check(t, server, path);
  for (const [path, to] of [["/", "/sign-in"], ["/rooms", "/sign-in"], ["/setup", "/sign-in"]]) {
    const page = await t.page(server, path);
    assert.equal(new URL(page.url()).pathname, to);
    await live(page);
  }
});

test("the pages inside", async t => {
  t.allow(/404/);
  const server = await t.server({ demo: true });
  const login = await server.enter();
  const ordinary = await t.page(server, "/", { login });
  const room = new URL(ordinary.url()).pathname;
  const paths = ["/rooms", "/unread", "/unread/before/9000", "/account", room, `${room}/300`, `${room}/before/500`, `${room}/after/100`];
  for (const path of paths) await check(t, server, path, { login });
  for (const path of ["/rooms", "/unread", "/account", room]) await check(t, server, path, { login, ...SIZES.phone });
  for (const path of ["/nowhere", "/r/bcdfghjklm", `${room}/x`, "/r/x"]) {
    const { status } = await server.request(path, { cookie: login });
    assert.equal(status, 404, path);
    const page = await open(t, server, path, { login });
    await settle(page, false);
    assert.deepEqual(await page.evaluate(() => globalThis.shifts), []);
  }
}, { timeout: 120_000 });

test("on a slow line and a slow machine nothing shifts, from the first paint to life", async t => {
  const server = await t.server({ demo: true });
  const login = await server.enter();
  const { location } = await server.request("/", { cookie: login });
  const room = new URL(location, server.url).pathname;
  let throttled = 0;
  for (const [path, size] of [[room, "desktop"], [room, "phone"], ["/account", "phone"], ["/sign-in", "phone"]]) {
    const page = await t.page(server, undefined, { ...SIZES[size], ...(path !== "/sign-in" && { login }) });
    page.context().setDefaultTimeout(60_000);
    await page.addInitScript(instruments);
    const engine = await page.context().newCDPSession(page);
    await engine.send("Network.enable");
    await engine.send("Network.emulateNetworkConditions", { offline: false, latency: 150, downloadThroughput: 200_000, uploadThroughput: 75_000 });
    await engine.send("Emulation.setCPUThrottlingRate", { rate: 4 });
    page.on("response", response => (throttled += response.url().endsWith(".wasm") ? 1 : 0));
    await page.goto(server.url + path);
    await settle(page, path !== "/sign-in");
    assert.deepEqual(await page.evaluate(() => globalThis.shifts), [], `${path}, ${size}`);
    await page.context().close();
  }
  assert.equal(throttled, 4, "each of them loaded the client anew");
}, { timeout: 180_000 });

test("a small room and one that one is not in", async t => {
  const server = await t.server();
  const ada = await server.setUp();
  const bo = await server.join(await server.joinPath(ada));
  const made = await server.request("/rooms", { fields: { name: "Garden", topic: "Tools and seeds" }, cookie: ada });
  const garden = made.location;
  const page = await check(t, server, garden, { login: ada });
  await page.locator(".composer textarea").fill("`code`, a https://example.org/link and\n\n```\nlines\n```\n\nto end.");
  await page.locator(".composer textarea").press("Enter");
  await page.locator(".row[data-ordinal]").waitFor();
  await check(t, server, garden, { login: ada });
  await check(t, server, "/rooms", { login: bo });
  const outside = await check(t, server, garden, { login: bo });
  await outside.getByRole("button", { name: "Join" }).click();
  await outside.locator(".row[data-ordinal]").waitFor();
  await settle(outside, true);
});

test("a page reached by a click is the page that the server renders", async t => {
  const server = await t.server();
  const login = await server.setUp();
  await server.join(await server.joinPath(login));
  const { location: kitchen } = await server.request("/rooms", { fields: { name: "Kitchen", topic: "Lunch" }, cookie: login });
  const { location: general } = await server.request("/", { cookie: login });
  let id = 0;
  for (const path of [kitchen, general, kitchen, general]) {
    const fields = { text: `Message ${++id}`, client_id: `01900000-0000-7000-8000-00000000000${id}` };
    assert.equal((await server.request(path + "/post", { fields, cookie: login })).status, 303);
  }
  const [coldList, walker] = [await open(t, server, "/rooms", { login }), await open(t, server, "/", { login })];
  await settle(coldList, true);
  await settle(walker, true);
  const room = new URL(walker.url()).pathname;
  // By the plus of the sidebar to all rooms.
  await walker.getByRole("link", { name: "All rooms, and make one" }).click();
  await walker.waitForURL(/\/rooms$/);
  await walker.getByRole("heading", { name: "New room" }).waitFor();
  await settle(walker, true);
  assert.equal(await outline(walker), await outline(coldList), "/rooms");
  assert.equal(await walker.title(), await coldList.title());
  // By the sidebar to what waits, and by the menu of one's own to the settings.
  for (const [path, heading, way] of [
    ["/unread", "Unread", () => walker.locator('.sidebar a[href="/unread"]').click()],
    ["/account", "Account", async () => {
      await walker.locator("summary.own-row").click();
      await walker.locator('.own a[href="/account"]').click();
    }],
  ]) {
    await way();
    await walker.waitForURL(url => url.pathname === path);
    await walker.getByRole("heading", { name: heading, level: 1 }).waitFor();
    await settle(walker, true);
    const cold = await open(t, server, path, { login });
    await settle(cold, true);
    assert.equal(await outline(walker), await outline(cold), path);
    assert.equal(await walker.title(), await cold.title());
  }
  await walker.goBack();
  await walker.goBack();
  await walker.getByRole("heading", { name: "New room" }).waitFor();
  // And by the list into rooms: one whose rows came with the page, and one whose rows come over the socket.
  for (const name of ["General", "Kitchen"]) {
    await walker.locator(".open-room-name").filter({ hasText: name }).click();
    await walker.waitForURL(/\/r\/[a-z]{10}$/);
    await walker.getByRole("heading", { name, level: 1 }).waitFor();
    await walker.locator(".row[data-ordinal]").first().waitFor();
    await settle(walker, true);
    const path = new URL(walker.url()).pathname;
    if (name === "General") assert.equal(path, room);
    const cold = await open(t, server, path, { login });
    await settle(cold, true);
    assert.equal(await outline(walker), await outline(cold), name);
    assert.equal(await walker.title(), await cold.title());
    await walker.goBack();
    await walker.waitForURL(/\/rooms$/);
    await walker.getByRole("heading", { name: "New room" }).waitFor();
  }
}, { timeout: 120_000 });

test("a new password is said once, on the page that changed it", async t => {
  t.allow(/422/);
  const server = await t.server();
  const login = await server.setUp();
  const said = "Password changed. Your other devices were signed out.";
  const change = async (page, current, next) => {
    await page.getByLabel("Current password").fill(current);
    await page.getByLabel("New password").fill(next);
    await page.getByRole("button", { name: "Change the password" }).click();
  };
  const page = await t.page(server, "/account", { login });
  await settle(page, true);
  assert.equal(await page.getByRole("status").count(), 0);
  await change(page, FIRST.password, "another horse");
  await page.getByRole("status").filter({ hasText: said }).waitFor();
  await settle(page, true);
  assert.equal(await page.getByRole("status").innerText(), said);
  // It is no news on another page, nor when one comes back or reloads.
  await page.waitForURL(/\/account$/);
  await page.getByRole("link", { name: "All rooms, and make one" }).click();
  await page.getByRole("heading", { name: "New room" }).waitFor();
  assert.equal(await page.getByText(said).count(), 0);
  await page.goBack();
  await page.getByRole("heading", { name: "Password" }).waitFor();
  assert.equal(await page.getByText(said).count(), 0);
  await page.reload();
  await settle(page, true);
  assert.equal(await page.getByText(said).count(), 0);
  // What is not done is said there too, and not on other pages.
  await change(page, "not my password", "a third horse");
  await page.getByRole("alert").filter({ hasText: "Current password: that is not it." }).waitFor();
  await settle(page, true);
  assert.equal(new URL(page.url()).pathname, "/account");
  await page.getByRole("link", { name: "All rooms, and make one" }).click();
  await page.getByRole("heading", { name: "New room" }).waitFor();
  assert.equal(await page.getByText("that is not it").count(), 0);

  const plain = await t.page(server, "/account", { login, javaScriptEnabled: false });
  await change(plain, "another horse", "a fourth horse");
  await plain.getByRole("status").filter({ hasText: said }).waitFor();
}, { timeout: 60_000 });

test("a phone of 320 px shows all of a page, however long its names are", async t => {
  const server = await t.server();
  const login = await server.setUp();
  const made = await server.request("/rooms", { cookie: login, fields: { name: "W".repeat(32), topic: "" } });
  const room = new URL(made.location, server.url).pathname;
  const bo = await server.join(await server.joinPath(login));
  await server.request(`${room}/join`, { cookie: bo, fields: {} });
  await server.request(`${room}/post`, { cookie: bo, fields: { text: `@ada ${"long".repeat(40)}\n${"a line\n".repeat(30)}`, client_id: clientId() } });
  const page = await t.page(server, undefined, { login, viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true });
  for (const path of [room, "/rooms", "/unread", "/account"]) {
    await page.goto(server.url + path);
    await settled(page);
    const wide = () => page.evaluate(() => [...document.querySelectorAll("body *")].filter(el => el.checkVisibility({ visibilityProperty: true }) && !el.closest(".hidden, .hint, .skip, pre, svg")).filter(el => el.getBoundingClientRect().right > 320.5).map(el => el.className));
    assert.deepEqual(await wide(), [], path);
    if (path === room) {
      await page.locator(".room-menu > summary").click();
      await page.getByRole("button", { name: "Leave this room" }).waitFor();
      assert.deepEqual(await wide(), [], "the menu of the room");
    }
    // A long text is cut, and the way to it stands above it.
    if (path === "/unread") assert(await page.locator(".mention-line .text").evaluate(el => el.clientHeight < 200 && el.scrollHeight > 500), "it is cut");
  }
});
