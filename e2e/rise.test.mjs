// The log of a data folder rises to format 5 while a page is open: what was begun before goes on, or says why it cannot.

import assert from "node:assert/strict";
import {
  LONG, NO_SERVER, box, choose, edit, editBox, offline, online, pending, row, say, settled, storedOnce, texts, two,
} from "./room.mjs";
import { test, until } from "./support.mjs";

const TIMEOUT = { timeout: 120_000 };
const chip = page => page.locator(".chip-text").textContent();

test("what was begun in a log of format 4 goes on in format 5, or says why it cannot", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server({ env: { BECK_NEWEST_FORMAT: "4" } });
  const [ada, bo] = await two(t, server);
  for (const text of ["The plan", "Said too early", "Too much of it", "Half a thought"]) await say(ada, text);
  for (const page of [ada, bo]) await storedOnce(page, "Half a thought");
  await choose(ada, "Said too early", /^Delete/);
  await row(bo, "deleted").waitFor({ timeout: LONG });
  const undo = row(ada, "deleted").getByRole("button", { name: "Undo" }).first();
  await undo.waitFor();
  // An edit box that stays open all the time.
  await choose(bo, "The plan", /^Reply/);
  await box(bo).fill("A reply that is being written");

  await server.stop();
  await offline(ada);
  // Done without a server: a message, an edit, a deletion, and the deletion of before taken back.
  await say(ada, "Written while it rose");
  await edit(ada, "The plan", "The plan, changed");
  await choose(ada, "Too much of it", /^Delete/);
  await undo.click();
  await choose(ada, "Half a thought", /^Edit/);
  await editBox(ada).fill("A whole thought");
  await pending(ada, "Written while it rose").waitFor();
  const before = server.log.length;
  server.env.BECK_NEWEST_FORMAT = "5";
  await server.start();
  for (const words of ["rises from format 4 to format 5", "1 message deleted since yesterday cannot be restored"]) {
    await until(() => server.log.slice(before).includes(words), words);
  }

  for (const page of [ada, bo]) await online(page);
  await storedOnce(bo, "Written while it rose");
  await row(bo, "The plan, changed").waitFor({ timeout: LONG });
  const notice = ada.locator(".composer, .stage").getByText("Deleted before the server was updated. It can't be restored.");
  await notice.first().waitFor({ timeout: LONG });
  await editBox(ada).press("Enter");
  await row(bo, "A whole thought").waitFor({ timeout: LONG });
  await box(bo).press("Enter");
  await row(ada, "A reply that is being written").locator(".quote").getByText("The plan, changed").waitFor({ timeout: LONG });

  // Both have the same, and so has a page that is opened now; what was deleted in format 5 comes back.
  const all = ["The plan, changed edited", "deleted", "deleted Undo", "A whole thought edited", "Written while it rose", "A reply that is being written"];
  await until(async () => JSON.stringify((await texts(ada)).map(text => text.trim())) === JSON.stringify(all), `Ada has ${all}; ${await texts(ada)}`, LONG);
  await row(ada, "deleted").nth(1).getByRole("button", { name: "Undo" }).click();
  await row(bo, "Too much of it").waitFor({ timeout: LONG });
  for (const page of [ada, bo]) {
    await until(async () => (await chip(page)) === "6", "the chip counts all messages");
    assert.equal(await page.locator(".chip").getAttribute("aria-label"), "Complete: 6 messages");
    const seen = await texts(page);
    await page.reload();
    await settled(page);
    assert.deepEqual(await texts(page), seen);
    assert.equal(await chip(page), "6");
  }
}, TIMEOUT);
