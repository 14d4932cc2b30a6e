// Whom a text names in a log of format 5: the accounts that were stored with it.

import assert from "node:assert/strict";
import { LONG, NO_SERVER, edit, post, row, say, settled, storedOnce, two } from "./room.mjs";
import { badge, notified, scene } from "./scene.mjs";
import { rewriteLog } from "./log.mjs";
import { FIRST, test, until } from "./support.mjs";

const FIVE = { env: { BECK_NEWEST_FORMAT: "5" } };
const TIMEOUT = { timeout: 120_000 };

test("an edit notifies whom it names, once: by badge, list and notification", async t => {
  const { server, page: ada, ada: cookie, bo, second } = await scene(t, "desktop", { ...FIVE, permission: "granted" });
  const other = await t.page(server, `/r/${second}`, { login: bo });
  await settled(other);
  const list = await ada.context().newPage();
  await list.goto(`${server.url}/unread`);
  await list.getByText("Nobody has named you yet.").waitFor();
  // One tab of a browser notifies.
  const told = async () => [...(await notified(ada)), ...(await notified(list))];
  await say(other, "Who has the key?");
  await until(async () => (await badge(ada, "Second").textContent().catch(() => "")) === "1", "one is unread");
  assert.equal(await badge(ada, "Second").getAttribute("class"), "count");
  assert.deepEqual(await told(), []);

  await edit(other, "Who has", "Who has the key? @ada");
  const mention = badge(ada, "Second").and(ada.locator(".mention"));
  await mention.waitFor({ state: "attached", timeout: LONG });
  await until(async () => (await told()).length === 1, "she is notified", LONG);
  assert.deepEqual((await told()).map(({ title, body }) => [title, body]), [["Bo Lind in Second", "Who has the key? @ada"]]);
  await list.locator(".mention-line").getByText("Who has the key?").waitFor({ timeout: LONG });

  /** Once in the list, as it is loaded now: an open one waits for the next mention. */
  const listed = text => until(async () => {
    const page = await server.request("/unread", { cookie });
    return page.text.includes(text) && page.text.match(/<li[^>]*class="?mention-line/g).length === 1;
  }, `“${text}” is listed once`, LONG);
  // Named again, and read meanwhile: neither counts anew.
  await edit(other, "Who has", "Who has the key of the shed? @ada");
  await listed("key of the shed");
  await post(server, second, bo, "Never mind");
  await until(async () => (await badge(ada, "Second").textContent()) === "1" && (await mention.count()) === 1, "one mention");
  assert.equal((await told()).length, 1);
  await server.request("/unread/read", { cookie, fields: { [second]: "99" } });
  await badge(ada, "Second").waitFor({ state: "detached", timeout: LONG });
  await edit(other, "Who has", "Who has it? @ada");
  await listed("Who has it?");
  await ada.waitForTimeout(1000);
  assert.equal(await badge(ada, "Second").count(), 0, "an edit makes nothing unread that was read");
  assert.equal((await told()).length, 1);
}, TIMEOUT);

test("a text names the account that was stored with it, whoever has the handle now", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server(FIVE);
  const [ada, bo] = await two(t, server);
  await say(ada, "Thanks, @ada and @bo");
  await storedOnce(bo, "Thanks, @ada and @bo");
  for (const page of [ada, bo]) await page.close();
  await server.stop();
  // As if Ada had had Bo's handle, and Bo hers.
  await rewriteLog(server, entries => {
    const text = entries.find(({ body }) => body?.includes("Thanks, @ada"));
    const [draft, added] = text.body.split("\n");
    const { mentions: { ada, bo } } = JSON.parse(added);
    text.body = `${draft}\n${JSON.stringify({ mentions: { ada: bo, bo: ada } })}`;
  });
  await server.start();
  const pages = {};
  for (const [name, who] of [["ada", FIRST], ["bo", { handle: "bo", password: "battery staple" }]]) {
    pages[name] = await t.page(server, "/", { login: await server.signIn(who) });
    await settled(pages[name]);
  }
  const mine = page => row(page, "Thanks").locator(".mention.me").allTextContents();
  assert.deepEqual([await mine(pages.ada), await mine(pages.bo)], [["@bo"], ["@ada"]]);
  // An edit leaves them whom they were.
  await edit(pages.ada, "Thanks", "Thanks a lot, @ada and @bo");
  await row(pages.bo, "Thanks a lot").waitFor({ timeout: LONG });
  assert.deepEqual([await mine(pages.ada), await mine(pages.bo)], [["@bo"], ["@ada"]]);
  // What is written now names whoever has the handle.
  await say(pages.ada, "And to @bo again");
  await row(pages.bo, "And to").locator(".mention.me").getByText("@bo").waitFor({ timeout: LONG });
}, TIMEOUT);
