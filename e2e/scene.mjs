// Two people and two rooms, and what one of them is told: shared by the journeys of what waits to be read.

import { post, run, settled } from "./room.mjs";
import { SIZES } from "./support.mjs";

/** Ada and Bo in General and a second room; the page is Ada's. With a permission, what she is told is recorded. */
export async function scene(t, size, { messages = 0, permission, env, ...options } = {}) {
  const server = await t.server({ env });
  const ada = await server.setUp();
  const bo = await server.join(await server.joinPath(ada));
  const { location } = await server.request("/", { cookie: ada });
  const general = new URL(location, server.url).pathname.split("/")[2];
  const made = await server.request("/rooms", { cookie: ada, fields: { name: "Second", topic: "" } });
  const second = new URL(made.location, server.url).pathname.split("/")[2];
  await server.request(`/r/${second}/join`, { cookie: bo, fields: {} });
  for (const n of run(1, messages)) await post(server, second, bo, `Message ${n}`);
  const page = await t.page(server, undefined, { ...SIZES[size], login: ada, ...options });
  if (permission) await page.context().addInitScript(record, permission);
  await page.goto(`${server.url}/r/${general}`);
  await settled(page);
  return { server, page, ada, bo, general, second };
}

export const link = (page, name) => page.locator(".room-link", { hasText: name });
export const badge = (page, name) => link(page, name).locator(".count");

/** Below 720 px the rooms are a page of their own. */
export async function openList(page, size) {
  if (size === "phone") await page.getByRole("link", { name: "All rooms" }).click();
}
export async function openRoom(page, size, name) {
  await openList(page, size);
  await link(page, name).click();
  await page.locator(".room-name", { hasText: name }).waitFor();
}

/** Stands in for what tells a person: records what is notified, and how often a sound began. */
function record(permission) {
  globalThis.notified = [];
  globalThis.sounds = 0;
  class Fake extends EventTarget {
    constructor(title, options) {
      super();
      Object.assign(this, { title, ...options, open: true });
      globalThis.notified.push(this);
    }
    close() {
      if (this.open) { this.open = false; this.onclose?.(); }
    }
  }
  Fake.permission = permission;
  Fake.requestPermission = async () => (Fake.permission = "granted");
  globalThis.Notification = Fake;
  const param = { setValueAtTime() {}, exponentialRampToValueAtTime() {} };
  globalThis.AudioContext = class {
    currentTime = 0;
    destination = {};
    async suspend() {}
    async resume() {}
    createGain() { return { gain: param, connect: to => to }; }
    createOscillator() {
      const tone = { frequency: param, connect: to => to, stop() { setTimeout(() => tone.onended?.(), 50); }, start() { globalThis.sounds += 1; } };
      return tone;
    }
  };
}
export const notified = page => page.evaluate(() => globalThis.notified.map(({ title, body, tag, open }) => ({ title, body, tag, open })));
export const sounds = page => page.evaluate(() => globalThis.sounds);
