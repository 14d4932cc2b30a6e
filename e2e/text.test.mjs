// Message text: the same on both sides, text stays text wherever people can type it, and what is drawn can be used.

import assert from "node:assert/strict";
import { box, post, roomOf, say, settled, two } from "./room.mjs";
import { SIZES, assertAccessible, test, until } from "./support.mjs";

const TIMEOUT = { timeout: 120_000 };

const CORPUS = [
  "plain\nwith a break\n\nand a paragraph",
  "*a* **b** ***c*** ~~d~~ `e` _f_ \\*g\\*",
  "# One\n## Two\n### Three",
  "> quoted\n> more\nanswer",
  "> > deep\n> - list",
  "- a\n  - b\n    1. c\n- d\n\n  more of d",
  "7. seven\n8. eight",
  "- [ ] to do\n- [x] done",
  "---",
  "| left | middle | right |\n|---|:-:|--:|\n| 1 | **2** | `3` |\n| 4 |",
  "```rust\nfn main() { println!(\"hi {}\", 1); } // end\n```",
  "```\nno language\n\n\tand a tab\n```",
  "```diff\n@@ 1 @@\n+added\n-gone\n same\n```",
  "```html\n<p class=\"x\">text</p><!-- c -->\n```",
  "[a link](https://example.org/a_(b)) and https://example.org/x?y=1&z=2.",
  "@ada, @bo and @nobody; @room",
  "#general and #nowhere",
  "¯\\_(ツ)_/¯",
  "שלום **עולם**\n\n- مرحبا",
  "&lt;b&gt; &amp; <b>no</b> &#x27;",
  "```\nends at once\n```",
  "**open `code** `",
  "é 漢字 👍🏽 𝔞 *漢字*です",
];

/** Every message's text as elements, attributes and texts, without what only one of the sides needs; of a page's HTML, or of the page. */
const drawn = (page, html) => page.evaluate(html => {
  const tree = node => {
    if (node.nodeType === Node.TEXT_NODE) return node.data;
    if (node.nodeType !== Node.ELEMENT_NODE) return "";
    const attributes = [...node.attributes].filter(({ name }) => !/^data-(node-hydration|dioxus-id)/.test(name)).map(({ name, value }) => `${name}=${value}`).sort();
    const inner = [];
    for (const one of [...node.childNodes].map(tree)) {
      if (one === "") continue;
      if (typeof one === "string" && typeof inner.at(-1) === "string") inner.push(inner.pop() + one);
      else inner.push(one);
    }
    return [node.localName, attributes, inner];
  };
  const from = html ? new DOMParser().parseFromString(html, "text/html") : document;
  return [...from.querySelectorAll(".timeline > .row .text")].map(tree);
}, html);

const to = async (page, name) => {
  await page.locator(".sidebar").getByRole("link", { name }).first().click();
  await page.getByRole("heading", { name, level: 1 }).waitFor();
};

test("the server and the client draw the same text", async t => {
  const server = await t.server();
  const pages = await two(t, server);
  const [ada] = pages;
  const [login, bo] = pages.logins;
  const room = roomOf(ada);
  for (const text of CORPUS) await post(server, room, bo, text);
  const there = page => until(async () => (await page.locator(".timeline > .row .text").count()) === CORPUS.length, "all are there");
  await there(ada);
  // Rendered on the server, parsed by the browser, with no script.
  const { text: html } = await server.request(`/r/${room}`, { cookie: login });
  const served = await drawn(ada, html);
  assert.equal(served.length, CORPUS.length);
  const kinds = new Set();
  const walk = ([name, , inner]) => { kinds.add(name); inner.filter(Array.isArray).forEach(walk); };
  served.forEach(walk);
  for (const kind of "p em strong del code pre blockquote ul ol li hr table th td a span button".split(" ")) assert(kinds.has(kind), `no ${kind} is drawn`);
  // Drawn by the client alone: the page that it began with had no room.
  const fresh = await t.page(server, "/rooms", { login });
  await settled(fresh);
  assert.equal(await fresh.locator(".timeline").count(), 0);
  await to(fresh, "General");
  await there(fresh);
  await until(async () => (await fresh.locator(".mention").count()) === (await ada.locator(".mention").count()), "names are known");
  const own = await drawn(fresh);
  for (const [n, text] of CORPUS.entries()) assert.deepEqual(own[n], served[n], text);
  // And the page that the client took over from the server, and the one that saw them come.
  await fresh.goto(`${server.url}/r/${room}`);
  await settled(fresh);
  assert.deepEqual(await drawn(fresh), served);
  assert.deepEqual(await drawn(ada), served);
}, TIMEOUT);

const RUN = "globalThis.ran=1";
const HOSTILE = [
  `<script>${RUN}</script>`,
  `<img src=x onerror=${RUN}>`,
  `"><svg/onload=${RUN}>`,
  `' onclick=${RUN} x='`,
  "</textarea></p></title>",
  "<!-- open",
  "]]> {{7*7}} ${7*7}",
  "&lt;b&gt;&#x3c;b",
];
const HOSTILE_MESSAGES = [
  ...HOSTILE,
  `[click](javascript:${RUN})`,
  `[click](JAVASCRIPT:${RUN}) <javascript:${RUN}>`,
  `[x](data:text/html,<script>${RUN}</script>)`,
  `[x](https://a.example/"onmouseover="${RUN})`,
  `https://a.example/"onmouseover="${RUN}`,
  `https://a.example/'><script>${RUN}</script>`,
  `\`<script>${RUN}</script>\``,
  "```html\n<script>" + RUN + "</script>\n```",
  "```\"><script>\n</pre></code><script>" + RUN + "</script>\n```",
  `| <script>${RUN}</script> |\n|---|\n| <img src=x onerror=${RUN}> |`,
  `- [x] <iframe srcdoc="<script>${RUN}</script>">`,
  `![x](https://a.example/x.png" onerror="${RUN})`,
  "@ada\u202e\u2066 #general",
];

test("what people type stays text, in every field, on both sides", async t => {
  const server = await t.server();
  const named = HOSTILE.filter(text => text.length <= 32);
  assert(named.length > 5);
  const login = await server.setUp({ workspace: named[1], name: named[0] });
  const join = await server.joinPath(login);
  const bo = await server.join(join, { name: named[2] });
  const page = await t.page(server, "/rooms", { login });
  page.on("dialog", dialog => assert.fail(dialog.message()));
  await settled(page);
  const safe = async what => {
    assert.equal(await page.evaluate(() => globalThis.ran), undefined, what);
    assert.equal(await page.locator("main iframe, main img, main script, .text svg, .text :is([onclick], [onerror], [onload], [onmouseover])").count(), 0, what);
    for (const href of await page.locator(".text a").evaluateAll(all => all.map(a => a.getAttribute("href")))) assert.match(href, /^(https?:|mailto:|\/r\/)/, what);
  };
  let rooms = 0;
  for (const name of named) {
    const answer = await server.request("/rooms", { fields: { name, topic: HOSTILE[rooms % HOSTILE.length] }, cookie: login });
    assert.equal(answer.status, 303, answer.text.slice(0, 300));
    await server.request(`${answer.location.replace(server.url, "")}/join`, { fields: {}, cookie: bo });
    rooms += 1;
  }
  const { location } = await server.request("/", { cookie: bo });
  const room = new URL(location, server.url).pathname.split("/")[2];
  for (const text of HOSTILE_MESSAGES) await post(server, room, bo, text);
  const shown = async (page, what) => {
    await until(async () => (await page.locator(".timeline > .row .text").count()) === HOSTILE_MESSAGES.length, what);
    const all = await page.locator(".timeline > .row .text").allTextContents();
    for (const text of HOSTILE) assert(all.includes(text), `${what}: ${text} is not in ${JSON.stringify(all)}`);
    await until(async () => (await page.locator(".author").allTextContents()).includes(named[2]), `${what}: the author`); // asked for by id
    await safe(what);
  };
  // By the client's hand, then by the server's.
  await page.goto(`${server.url}/rooms`);
  await settled(page);
  for (const name of named) assert((await page.locator(".sidebar").textContent()).includes(name), name);
  await safe("the list of rooms");
  await to(page, "General");
  await shown(page, "drawn by the client");
  await page.goto(`${server.url}/r/${room}`);
  await settled(page);
  await shown(page, "drawn by the server");
  // As a quote, a pin, an answer that is written, and in the box.
  await page.locator(".timeline > .row").first().hover();
  for (const text of HOSTILE_MESSAGES) {
    await say(page, `${text}\nmine`);
    await box(page).fill(text);
    assert.equal(await box(page).inputValue(), text);
    await box(page).fill("");
  }
  await until(async () => (await page.locator(".timeline > .row[data-ordinal]").count()) === 2 * HOSTILE_MESSAGES.length, "all are stored");
  await safe("written here");
  for (const name of named) {
    await to(page, name);
    assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), name);
    await page.reload();
    await settled(page);
    assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), name);
    assert((await page.locator(".room-head, header").first().textContent()).length > 0);
    await safe(name);
  }
  await page.goto(`${server.url}/account`);
  await settled(page);
  await safe("the account");
  await page.goto(`${server.url}/unread`);
  await settled(page);
  await safe("what is unread");
}, TIMEOUT);

for (const [size, options] of Object.entries({ desktop: SIZES.desktop, phone: SIZES.phone })) {
  for (const colorScheme of ["light", "dark"]) {
    test(`all that can be drawn is readable: ${size}, ${colorScheme}`, async t => {
      const server = await t.server();
      const login = await server.setUp();
      const page = await t.page(server, "/", { login, ...options, colorScheme });
      await settled(page);
      const room = roomOf(page);
      const wide = `| ${"a wide column | ".repeat(12)}\n|${"---|".repeat(12)}\n| ${"what is in it | ".repeat(12)}`;
      const long = "```sql\nSELECT " + "a_column, ".repeat(40) + "1 FROM t; -- long\n```";
      const all = [...CORPUS, wide, long, "```toml\nkey = 1\n```"];
      for (const text of all) await post(server, room, login, text);
      await until(async () => (await page.locator(".timeline > .row .text").count()) === all.length, "all are there");
      // What is wide scrolls in itself; the page does not.
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert(over <= 0, `${over} px`);
      assert.equal(await page.locator(".scroll").evaluate(el => el.scrollWidth > el.clientWidth), false);
      assert.equal(await page.locator(".table").last().evaluate(el => el.scrollWidth > el.clientWidth), true);
      await assertAccessible(page);
    }, TIMEOUT);
  }
}

test("code is copied as it is", async t => {
  const server = await t.server();
  const login = await server.setUp();
  const page = await t.page(server, "/", { login, permissions: ["clipboard-read", "clipboard-write"] });
  await settled(page);
  const code = "fn a() {\n\tlet b = \"<c>\"; // d\n}";
  await say(page, "```rust\n" + code + "\n```");
  await until(async () => (await page.locator(".timeline > .row[data-ordinal] .code").count()) === 1, "it is stored");
  await page.locator(".code").hover();
  await page.getByRole("button", { name: "Copy the code" }).click();
  await page.locator(".copy-code[data-copied]").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), code);
  assert.deepEqual(await page.locator(".code .k").allTextContents(), ["fn", "let"]);
}, TIMEOUT);

test("a list and a quote have the direction of their words, and so their marks", async t => {
  const server = await t.server();
  const login = await server.setUp();
  const page = await t.page(server, "/", { login });
  await settled(page);
  await box(page).fill("> اقتباس\n\n- أول\n- two\n\nمرحبا\nhello\n\n- one");
  await box(page).press("Enter");
  const text = page.locator(".timeline > .row[data-ordinal] .text");
  await text.waitFor();
  const of = (selector, what) => text.locator(selector).evaluateAll((all, what) => all.map(el => getComputedStyle(el)[what]), what);
  assert.deepEqual(await of("blockquote, ul", "direction"), ["rtl", "rtl", "ltr"]);
  assert.deepEqual(await of("blockquote", "borderRightWidth"), ["3px"]);
  // Each line of a paragraph stands at the side where it begins.
  const lines = await text.locator(":scope > p").evaluate(p => { const range = document.createRange(); range.selectNodeContents(p); const at = p.getBoundingClientRect(), sides = new Map(); for (const r of range.getClientRects()) if (r.width > 1) sides.set(Math.round(r.top), r.left - at.left < at.right - r.right ? "left" : "right"); return [...sides.values()]; });
  assert.deepEqual(lines, ["right", "left"]);
});
