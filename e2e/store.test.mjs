// A store that comes back without its last entries: people see it, and what was lost is offered to its author again.

import assert from "node:assert/strict";
import { LONG, NO_SERVER, count, row, say, storedOnce, texts, two } from "./room.mjs";
import { test, until } from "./support.mjs";
import { Store } from "./store.mjs";

test("what a lost tail of the log took is said, and offered to its author again", async t => {
  t.allow(...NO_SERVER);
  const store = await Store.start(t);
  const server = await t.server({ env: { REDIS_URL: store.url } });
  const [ada, bo] = await two(t, server);
  await say(ada, "Kept by all");
  await storedOnce(bo, "Kept by all");
  const kept = store.copy();
  await say(ada, "Lost with the store");
  await say(bo, "Lost too");
  for (const page of [ada, bo]) for (const text of ["Lost with the store", "Lost too"]) await storedOnce(page, text);

  // A stale copy takes the store's place.
  await store.kill();
  store.restore(kept);
  await store.launch();
  for (const [page, own, foreign] of [[ada, "Lost with the store", "Lost too"], [bo, "Lost too", "Lost with the store"]]) {
    await page.getByText("the server's log changed").waitFor({ timeout: LONG });
    const card = page.locator(".card.unsent").filter({ hasText: own });
    await card.getByText("The server had acknowledged it, and its log no longer has it.").waitFor({ timeout: LONG });
    assert.equal(await page.locator(".card.unsent").count(), 1);
    assert.equal(await row(page, foreign).count(), 0, "what another wrote is his to offer");
    await row(page, "Kept by all").waitFor();
  }
  // Sent again it is one message, for both; what is let go is gone.
  await ada.locator(".card.unsent").getByRole("button", { name: "Send again" }).click();
  for (const page of [ada, bo]) await row(page, "Lost with the store").waitFor({ timeout: LONG });
  await bo.locator(".card.unsent").getByRole("button", { name: /Discard|Delete/ }).click();
  await until(async () => (await bo.locator(".card.unsent").count()) === 0, "the card goes");
  await say(bo, "As before");
  for (const page of [ada, bo]) {
    await storedOnce(page, "As before");
    const all = await texts(page);
    assert.deepEqual(["Kept by all", "Lost with the store", "Lost too", "As before"].map(text => count(all, text)), [1, 1, 0, 1]);
  }
}, { timeout: 120_000 });
