// Who is there, who is typing, what one says of oneself; and rooms that are archived. Two people, two widths.

import assert from "node:assert/strict";
import { LONG, box, clientId, roomOf, row, say, two } from "./room.mjs";
import { SIZES, assertAccessible, test } from "./support.mjs";

const people = page => page.getByRole("region", { name: "People" }).or(page.locator(".people"));
const line = (page, name) => page.locator(".people .person").filter({ hasText: name });
const dot = (page, name, what) => line(page, name).locator(`.dot.${what}`);
const typers = page => page.locator(".typers");

/** Places of what must not move. */
const places = page =>
  page.evaluate(() => [".scroll", ".composer .box", ".hint"].map(of => JSON.stringify(document.querySelector(of).getBoundingClientRect())));

for (const [width, size] of [["desktop", SIZES.desktop], ["phone", SIZES.phone]]) {
  test(`${width}: one sees who is there, who types and what they say`, async t => {
    const server = await t.server();
    const [ada, bo] = await two(t, server);
    await ada.setViewportSize(size.viewport);
    await people(ada).locator("summary").click();
    await dot(ada, "Bo", "online").waitFor({ timeout: LONG });
    await dot(ada, "Ada", "online").waitFor();
    await assertAccessible(ada);

    // What Bo says of himself, from his menu.
    await bo.locator(".own > summary").click();
    await bo.getByLabel("Status", { exact: true }).fill("At lunch");
    await bo.getByLabel("Clear the status").selectOption("60");
    await bo.getByLabel("Do not disturb").check();
    await assertAccessible(bo);
    // Whatever happens meanwhile, what he has typed and chosen stays.
    const fields = { text: "While he types", client_id: clientId() };
    await server.request(`/r/${roomOf(bo)}/post`, { cookie: await server.signIn(), fields });
    await row(bo, "While he types").waitFor({ timeout: LONG });
    assert.equal(await bo.getByLabel("Status", { exact: true }).inputValue(), "At lunch");
    assert.equal(await bo.getByLabel("Clear the status").inputValue(), "60");
    assert(await bo.getByLabel("Do not disturb").isChecked());
    await bo.getByRole("button", { name: "Set", exact: true }).click();
    await bo.locator(".own-state.busy").filter({ hasText: "At lunch" }).waitFor({ timeout: LONG });
    await line(ada, "Bo").filter({ hasText: "At lunch" }).waitFor({ timeout: LONG });
    await dot(ada, "Bo", "busy").waitFor();
    // It stands in the form, and goes when it is emptied.
    await bo.locator(".own > summary").click();
    assert.equal(await bo.getByLabel("Status", { exact: true }).inputValue(), "At lunch");
    await bo.getByLabel("Status", { exact: true }).fill("");
    await bo.getByLabel("Do not disturb").uncheck();
    await bo.getByRole("button", { name: "Set", exact: true }).click();
    await dot(ada, "Bo", "online").waitFor({ timeout: LONG });
    assert.equal(await line(ada, "Bo").getByText("At lunch").count(), 0);
    await ada.keyboard.press("Escape");

    // Typing: a line that moves nothing, and ends with the message or with the text.
    const before = await places(ada);
    await box(bo).pressSequentially("Hel", { delay: 20 });
    await typers(ada).filter({ hasText: "Bo Lind is typing" }).waitFor({ timeout: LONG });
    assert.deepEqual(await places(ada), before);
    await assertAccessible(ada);
    assert.equal(await typers(bo).textContent(), "", "nobody is told of himself");
    await say(bo, "Hello");
    await row(ada, "Hello").waitFor({ timeout: LONG });
    await typers(ada).filter({ hasNotText: "typing" }).waitFor({ state: "attached", timeout: LONG });
    await box(bo).pressSequentially("No", { delay: 20 });
    await typers(ada).filter({ hasText: "is typing" }).waitFor({ timeout: LONG });
    await box(bo).fill("");
    await typers(ada).filter({ hasNotText: "typing" }).waitFor({ state: "attached", timeout: LONG });

    // Who goes is gone.
    await people(ada).locator("summary").click();
    await dot(ada, "Bo", "online").waitFor({ timeout: LONG });
    await bo.context().close();
    await line(ada, "Bo").locator(".dot:not(.online, .away, .busy)").waitFor({ timeout: LONG });
  }, { timeout: 180_000 });

  test(`${width}: a room is archived, read, and brought back`, async t => {
    const server = await t.server();
    const [ada, bo] = await two(t, server);
    await ada.setViewportSize(size.viewport);
    await say(bo, "Words that stay");
    await row(ada, "Words that stay").waitFor({ timeout: LONG });
    await ada.locator(".room-menu > summary").click();
    await assertAccessible(ada);
    await ada.getByRole("button", { name: "Archive this room" }).click();
    await ada.getByText("This room is archived: it can be read").waitFor();
    // The other one sees it at once: nothing to write with, nothing to do with a message.
    await bo.getByText("This room is archived: it can be read").waitFor({ timeout: LONG });
    assert.equal(await box(bo).count(), 0);
    assert.equal(await bo.getByRole("button", { name: "Bring it back" }).count(), 0, "not Bo's to bring back");
    await row(bo, "Words that stay").hover();
    await row(bo, "Words that stay").click({ button: "right" });
    const items = bo.getByRole("menu", { name: "Message" }).getByRole("menuitem");
    await items.first().waitFor();
    // From format 5 on its author can still delete it.
    const offered = (await items.allTextContents()).map(text => text.trim()).filter(text => !text.startsWith("Delete"));
    assert.deepEqual(offered, ["Copy text", "Copy link"]);
    assert.equal(await bo.getByRole("toolbar", { name: "Message actions" }).count(), 0);
    await bo.keyboard.press("Escape");
    assert.equal(await bo.locator(".sidebar .links a").count(), 0, "it has left the list");
    await assertAccessible(bo);
    // Found on the page of all rooms, and brought back.
    await ada.goto(`${server.url}/rooms`);
    await ada.getByRole("heading", { name: "Archived" }).waitFor();
    await assertAccessible(ada);
    await ada.getByRole("button", { name: "Bring it back" }).click();
    await box(ada).waitFor();
    await box(bo).waitFor({ timeout: LONG });
    await say(bo, "As before");
    await row(ada, "As before").waitFor({ timeout: LONG });
  });
}

test("without the script one reads and sets one's own status, and what one wants to hear of a room", async t => {
  const server = await t.server();
  const login = await server.setUp();
  const page = await t.page(server, "/", { login, javaScriptEnabled: false });
  const room = page.url();
  await page.locator(".own > summary").click();
  await page.getByLabel("Status", { exact: true }).fill("At lunch");
  await page.getByLabel("Do not disturb").check();
  await page.getByRole("button", { name: "Set", exact: true }).click();
  await page.goto(room);
  await page.locator(".own > summary").click();
  assert.equal(await page.getByLabel("Status", { exact: true }).inputValue(), "At lunch");
  assert(await page.getByLabel("Do not disturb").isChecked(), "the box is ticked");
  await page.goto(room);
  await page.locator(".room-menu > summary").click();
  await page.getByRole("button", { name: "Everything" }).click();
  await page.goto(room);
  await page.locator(".room-menu > summary").click();
  await page.getByRole("button", { name: "Everything", pressed: true }).waitFor();
  // What would load is not offered.
  for (const name of ["Pinned messages", "Threads", "1 person"]) assert.equal(await page.getByLabel(name).isVisible(), false, name);
});
