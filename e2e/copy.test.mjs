// What one selects in the log and copies reads well where it is pasted.

import assert from "node:assert/strict";
import { box, row, say, storedOnce, two } from "./room.mjs";
import { test } from "./support.mjs";

/** Selects from a place in the text of one message to a place in another's, copies by keys, and gives what was copied. */
async function copied(page, [from, start], [to, end]) {
  const [first, last] = [await row(page, from).elementHandle(), await row(page, to).elementHandle()];
  await page.evaluate(
    ([first, last, start, end]) => {
      const walk = li => document.createTreeWalker(li.querySelector(".text"), NodeFilter.SHOW_TEXT);
      const [begin, finish] = [walk(first).nextNode(), walk(last)];
      let node = finish.nextNode();
      // Across the nodes that Dioxus made of the text.
      for (; end > node.length; node = finish.nextNode()) end -= node.length;
      getSelection().setBaseAndExtent(begin, start, node, end);
    },
    [first, last, start, end],
  );
  await page.evaluate(() => navigator.clipboard.writeText("nothing"));
  await page.keyboard.press("ControlOrMeta+c");
  return page.evaluate(() => navigator.clipboard.readText());
}

test("several messages read as a log: who, when, what", async t => {
  const server = await t.server();
  const [ada, bo] = await two(t, server);
  await ada.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const texts = ["Deploy is done", "```\nlet a = 1;\n  let b = 2;\n```", "two\nlines and https://example.org/a"];
  for (const text of texts) {
    await say(ada, text);
    await row(ada, text.split("\n").at(-1) === "```" ? "let a" : text.split("\n")[0]).waitFor();
  }
  await say(bo, "Thanks, looks good");
  await storedOnce(ada, "Thanks, looks good");

  const at = await ada.locator(".timeline time.at").allTextContents();
  assert.equal(at.length, 2, "two groups");
  assert.equal(
    await copied(ada, ["Deploy is done", 7], ["Thanks, looks good", 6]),
    `Ada Ek, ${at[0]}\nis done\nlet a = 1;\n  let b = 2;\ntwo\nlines and https://example.org/a\n\nBo Lind, ${at[1]}\nThanks\n`,
  );
  // In the middle of a group the first line still says who it is; of one message it is the bare text.
  const gutter = await row(ada, "let a").locator("time").textContent();
  assert.equal(
    await copied(ada, ["let a", 0], ["lines and", 3]),
    `Ada Ek, ${gutter}\nlet a = 1;\n  let b = 2;\ntwo\n`,
  );
  assert.equal(await copied(ada, ["Deploy is done", 0], ["Deploy is done", 6]), "Deploy");
  // What is selected in the box is copied from the box.
  await box(ada).fill("from the box");
  await box(ada).selectText();
  await ada.keyboard.press("ControlOrMeta+c");
  assert.equal(await ada.evaluate(() => navigator.clipboard.readText()), "from the box");
});
