// Moving around: the switcher, rooms by key, marks by Escape, what the keys do, stars, the place one was at.

import assert from "node:assert/strict";
import { box, clientId, row, run, settled } from "./room.mjs";
import { SIZES, assertAccessible, test, until } from "./support.mjs";

const TIMEOUT = { timeout: 120_000 };

/** Ada in General, in rooms of these names, and Bo who writes. */
async function scene(t, size, names) {
  const server = await t.server();
  const ada = await server.setUp();
  const bo = await server.join(await server.joinPath(ada));
  const { location } = await server.request("/", { cookie: ada });
  const rooms = { General: new URL(location, server.url).pathname.split("/")[2] };
  for (const name of names) {
    const made = await server.request("/rooms", { cookie: ada, fields: { name, topic: "" } });
    rooms[name] = new URL(made.location, server.url).pathname.split("/")[2];
    await server.request(`/r/${rooms[name]}/join`, { cookie: bo, fields: {} });
  }
  const page = await t.page(server, `/r/${rooms.General}`, { ...SIZES[size], login: ada });
  await settled(page);
  const post = (name, text) => server.request(`/r/${rooms[name]}/post`, { cookie: bo, fields: { text, client_id: clientId() } });
  return { server, page, rooms, post, ada, bo };
}

const lines = page => page.locator(".switcher-line .label").allTextContents();
const at = (page, name) => page.locator(".room-name", { hasText: new RegExp(`^${name}$`) }).waitFor();
const link = (page, name) => page.locator(".room-link", { hasText: name });
const open = async page => {
  await page.keyboard.press("Control+k");
  await page.locator(".switcher-field").waitFor();
};
const closed = page => page.locator("dialog").waitFor({ state: "detached" });
const unread = async (page, name) => ((await link(page, name).getAttribute("class")) ?? "").split(" ").includes("unread");

test("the switcher: rooms looked at last come first, slips are forgiven, the focus goes back", async t => {
  const { page } = await scene(t, "desktop", ["Deploys", "Incidents", "Zebra"]);
  await link(page, "Zebra").click();
  await at(page, "Zebra");
  await link(page, "Deploys").click();
  await at(page, "Deploys");
  await box(page).focus();
  await open(page);
  assert.deepEqual(await lines(page), ["Zebra", "General", "Incidents"], "not the room one is in");
  await assertAccessible(page);
  await page.keyboard.type("icnidents");
  await until(async () => (await lines(page)).join() === "Incidents", "one room is meant");
  await page.keyboard.press("Enter");
  await at(page, "Incidents");
  await closed(page);

  await open(page);
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  assert.equal(await page.locator('.switcher-line[aria-selected="true"] .label').textContent(), "Deploys", "round the end");
  await page.keyboard.press("ArrowUp");
  const last = await page.locator('.switcher-line[aria-selected="true"]').getAttribute("id");
  assert.equal(await page.locator(".switcher-field").getAttribute("aria-activedescendant"), last);
  await page.keyboard.press("Escape");
  await closed(page);

  await box(page).fill("half a thought");
  await open(page);
  await page.keyboard.type("nothing is called so");
  await page.locator(".switcher-none", { hasText: "Nothing is called that" }).waitFor();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Escape");
  await closed(page);
  assert.equal(await page.evaluate(() => document.activeElement.matches(".composer textarea")), true);
  await page.keyboard.press("End");
  await page.keyboard.type(", and the rest");
  assert.equal(await box(page).inputValue(), "half a thought, and the rest");
}, TIMEOUT);

test("the switcher: keys that come before it is drawn, or before its list is, mean what they would mean after", async t => {
  const { page } = await scene(t, "desktop", ["Deploys", "Incidents"]);
  await box(page).focus();
  await page.evaluate(() => {
    const press = (key, more) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
    press("k", { ctrlKey: true });
    for (const key of [..."incid", "Enter"]) if (press(key)) throw new Error(`${key} was let through to the message`);
  });
  await at(page, "Incidents");
  await closed(page);
  assert.equal(await box(page).inputValue(), "");

  await open(page);
  assert.equal((await lines(page))[0], "General");
  await page.locator(".switcher-field").evaluate(field => {
    field.value = "deplo";
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
  });
  await at(page, "Deploys");
  await closed(page);
}, TIMEOUT);

test("the switcher: a person is named where one writes, which can be undone, and commands are carried out", async t => {
  const { page, post } = await scene(t, "desktop", []);
  await post("General", "Hello");
  await row(page, "Hello").waitFor();
  await box(page).fill("Ask");
  await open(page);
  await page.keyboard.type("bo");
  await page.locator(".switcher-line", { hasText: "mention @bo" }).click();
  await closed(page);
  await until(async () => (await box(page).inputValue()) === "Ask @bo ", "he is named");
  await page.keyboard.press("Control+z");
  assert.equal(await box(page).inputValue(), "Ask");

  await open(page);
  await page.keyboard.type("dark");
  await page.keyboard.press("Enter");
  await closed(page);
  assert.equal(await page.locator(".root").getAttribute("data-theme"), "dark");
  await open(page);
  await page.keyboard.type("keyb");
  await page.keyboard.press("Enter");
  await page.locator(".keyboard h2", { hasText: "Keyboard" }).waitFor();
  await assertAccessible(page);
  await page.keyboard.press("Escape");
  await closed(page);
  await open(page);
  await page.keyboard.type("make one");
  await page.keyboard.press("Enter");
  await page.locator("h1", { hasText: "Rooms" }).waitFor();
}, TIMEOUT);

test("Alt and arrows go through the rooms, with Shift through those with something unread", async t => {
  const { page, post } = await scene(t, "desktop", ["Alpha", "Beta", "Omega"]);
  await box(page).fill("a draft");
  await page.keyboard.press("Alt+ArrowDown");
  await at(page, "Omega");
  await page.keyboard.press("Alt+ArrowDown");
  await at(page, "Alpha"); // round the end
  await page.keyboard.press("Alt+ArrowUp");
  await at(page, "Omega");
  await page.keyboard.press("Alt+ArrowUp");
  await at(page, "General");
  assert.equal(await box(page).inputValue(), "a draft", "a draft waits where it was written");
  await post("Beta", "Look here");
  await until(() => unread(page, "Beta"), "Beta is unread");
  await page.keyboard.press("Alt+Shift+ArrowDown");
  await at(page, "Beta");
  await page.goBack();
  await at(page, "General");
  await link(page, "Alpha").click();
  await at(page, "Alpha");
  await page.locator(".room-link", { hasText: "General" }).locator(".draft").waitFor();
}, TIMEOUT);

test("Escape closes what is open, and else marks as read; Shift and Escape mark everything; both can be undone", async t => {
  const { page, post } = await scene(t, "desktop", ["Alpha", "Beta"]);
  await post("Alpha", "One");
  await post("Beta", "Two");
  await until(async () => (await unread(page, "Alpha")) && (await unread(page, "Beta")), "both are unread");
  await box(page).press("Shift+Escape");
  await until(async () => !(await unread(page, "Alpha")) && !(await unread(page, "Beta")), "nothing is unread");
  await page.locator(".marked", { hasText: "2 rooms are marked as read" }).getByRole("button", { name: "Undo" }).click();
  await until(async () => (await unread(page, "Alpha")) && (await unread(page, "Beta")), "both are unread again");

  // Unread by hand: it stays so while one looks.
  await link(page, "Alpha").click();
  await row(page, "One").waitFor();
  await until(async () => !(await unread(page, "Alpha")), "Alpha is read");
  await row(page, "One").locator(".message").focus();
  await page.keyboard.press("u");
  await until(() => unread(page, "Alpha"), "it is unread by hand");
  await page.locator(".own summary").click();
  await page.keyboard.press("Escape");
  assert.equal(await page.locator(".own[open]").count(), 0);
  assert.equal(await unread(page, "Alpha"), true, "Escape had something to close");
  await row(page, "One").locator(".message").focus();
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement.matches(".composer textarea")), true);
  assert.equal(await unread(page, "Alpha"), true, "Escape led from the message to the composer");
  await page.keyboard.press("Escape");
  await until(async () => !(await unread(page, "Alpha")), "now it marks as read");
  assert.equal(await unread(page, "Beta"), true);
}, TIMEOUT);

test("a question mark shows what the keys do, but not while one types it", async t => {
  const { page } = await scene(t, "desktop", []);
  await box(page).fill("");
  await box(page).press("?");
  assert.equal(await box(page).inputValue(), "?");
  assert.equal(await page.locator("dialog").count(), 0);
  await page.locator(".scroll").focus();
  await page.keyboard.press("?");
  await page.locator(".keyboard").waitFor();
  await page.getByRole("button", { name: "Close" }).click();
  await closed(page);
  await page.keyboard.press("Control+/");
  await page.locator(".keyboard").waitFor();
  await page.mouse.click(5, 5);
  await closed(page);
}, TIMEOUT);

test("a starred room stands above the others, on every device, and by the plain form", async t => {
  const { server, page, rooms, ada } = await scene(t, "desktop", ["Alpha", "Beta"]);
  await link(page, "Beta").click();
  await at(page, "Beta");
  await page.locator(".room-menu summary").click();
  await page.getByRole("button", { name: "Star this room" }).click();
  const starred = () => page.locator('[aria-labelledby="s-starred"] .room-link .label').allTextContents();
  await until(async () => (await starred()).join() === "Beta", "it stands above");
  await page.keyboard.press("Escape");
  const other = await t.page(server, `/r/${rooms.General}`, { ...SIZES.desktop, login: ada });
  await settled(other);
  assert.deepEqual(await other.locator('[aria-labelledby="s-starred"] .room-link .label').allTextContents(), ["Beta"]);
  await server.request(`/r/${rooms.Beta}/want`, { cookie: ada, fields: { starred: "" } });
  await until(async () => (await page.locator('[aria-labelledby="s-starred"]').count()) === 0, "the star is off again");
  assert.equal(await link(page, "Beta").count(), 1);
}, TIMEOUT);

test("each room keeps the place one was at", async t => {
  const { page, post } = await scene(t, "desktop", ["Long"]);
  for (const n of run(1, 60)) await post("Long", `Line ${n} of many`);
  await link(page, "Long").click();
  await row(page, "Line 60 of many").waitFor();
  await row(page, "Line 30 of many").evaluate(el => el.scrollIntoView({ block: "center" }));
  const place = () => row(page, "Line 30 of many").evaluate(el => el.getBoundingClientRect().top);
  await page.waitForTimeout(200);
  const before = await place();
  await link(page, "General").click();
  await at(page, "General");
  await post("Long", "Line 61 of many");
  await page.goBack();
  await at(page, "Long");
  await row(page, "Line 61 of many").waitFor({ state: "attached" });
  const after = await place();
  assert.ok(Math.abs(after - before) <= 1, `the line moved from ${before} to ${after}`);
  // Where one was at the newest line one comes back to the newest.
  await page.locator(".scroll").evaluate(el => { el.scrollTop = 0; });
  await page.waitForTimeout(200);
  await link(page, "General").click();
  await at(page, "General");
  await link(page, "Long").click();
  await at(page, "Long");
  await row(page, "Line 61 of many").waitFor();
  assert.equal(await page.locator(".scroll").evaluate(el => el.scrollTop), 0);
}, TIMEOUT);

test("phone: the switcher is opened by a finger and fills the width", async t => {
  const { page } = await scene(t, "phone", ["Deploys"]);
  await page.getByRole("link", { name: "All rooms" }).click();
  await page.locator(".jump").click();
  await page.locator(".switcher-field").waitFor();
  assert.equal(await page.locator(".switcher").evaluate(el => el.getBoundingClientRect().width), page.viewportSize().width);
  await assertAccessible(page);
  await page.locator(".switcher-field").fill("depl");
  await page.locator(".switcher-line", { hasText: "Deploys" }).tap();
  await at(page, "Deploys");
  await closed(page);
}, TIMEOUT);
