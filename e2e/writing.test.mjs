// Writing: completion, formatting, paste, preview, commands; by keyboard and by touch, on both sizes, with an input method.

import assert from "node:assert/strict";
import { box, post, rewire, roomOf, settled, storedOnce, two } from "./room.mjs";
import { SIZES, assertAccessible, test, until } from "./support.mjs";

const TIMEOUT = { timeout: 120_000 };
const options = page => page.getByRole("listbox", { name: "Suggestions" }).getByRole("option");
const chosen = page => page.locator('.option[aria-selected="true"] .label').textContent();
const value = page => box(page).inputValue();
const rows = page => page.locator(".timeline > .row[data-ordinal]");
const writing = async (t, options = {}) => {
  const server = await t.server();
  const login = await server.setUp();
  const join = await server.joinPath(login);
  const bo = await server.join(join);
  await server.join(join, { name: "Adam Smith", handle: "adam" });
  await server.request("/rooms", { fields: { name: "Otter Works", topic: "Plans" }, cookie: login });
  const page = await t.page(server, "/", { login, ...options });
  await settled(page);
  await box(page).focus();
  return { server, login, bo, page };
};

test("the accounts of completed handles go along with a message and an edit, as far as the text names them", async t => {
  const { server, login, page } = await writing(t, SIZES.desktop);
  const sent = [];
  await rewire(page, { said: { post: frame => (sent.push(frame), frame), act: frame => (sent.push(frame), frame) } });
  await page.reload();
  await settled(page);
  const { people } = JSON.parse((await server.request(`/api/v1/names?room=${roomOf(page)}&at=adam`, { cookie: login })).text);
  const complete = async (field, word) => {
    await field.pressSequentially(word);
    await options(page).first().waitFor();
    await field.press("Tab"); // Enter sends what is typed in full
  };
  await complete(box(page), "@ada");
  await box(page).press("ControlOrMeta+a");
  await box(page).press("Delete");
  await complete(box(page), "@adam");
  await box(page).pressSequentially("and @bo, typed in full");
  await box(page).press("Enter");
  await until(() => sent.length === 1, "it is sent");
  assert.deepEqual(sent[0].named, { adam: people[0].id });
  // The next one begins anew.
  await box(page).pressSequentially("to @adam again");
  await box(page).press("Enter");
  await until(() => sent.length === 2, "it is sent");
  assert.equal(sent[1].named, undefined);
  await page.evaluate(() => globalThis.beck.emit("edit-last", "0"));
  const edit = page.locator(".edit-box textarea");
  await edit.press("End");
  await complete(edit, " and @adam");
  await page.getByRole("button", { name: "Save" }).click();
  await until(() => sent.length === 3, "it is sent");
  assert.deepEqual([sent[2].slot, sent[2].named], ["text", { adam: people[0].id }]);
}, TIMEOUT);

for (const [size, how] of Object.entries({ desktop: SIZES.desktop, phone: SIZES.phone })) {
  const touch = size === "phone";

  test(`names complete: ${size}`, async t => {
    const { page } = await writing(t, how);
    const take = async n => (touch ? options(page).nth(n).tap() : box(page).press("Enter"));
    await box(page).pressSequentially("Hi @ad");
    await until(async () => (await options(page).count()) === 2, "two are called so");
    assert.equal(await box(page).getAttribute("aria-activedescendant"), "complete-0");
    await assertAccessible(page);
    const boxes = await page.locator(".completions").boundingBox(), view = page.viewportSize();
    assert(boxes.x >= 0 && boxes.x + boxes.width <= view.width && boxes.y >= 0 && boxes.y + boxes.height <= view.height, JSON.stringify(boxes));
    if (touch) assert((await options(page).first().boundingBox()).height >= 44);
    else {
      const first = await chosen(page);
      await box(page).press("ArrowDown");
      assert.notEqual(await chosen(page), first);
      await box(page).press("ArrowDown");
      assert.equal(await chosen(page), first);
    }
    await take(0);
    await until(async () => /^Hi @(ada|adam) $/.test(await value(page)), "it is written");
    assert.equal(await options(page).count(), 0);
    assert(await box(page).evaluate(el => el === document.activeElement), "one writes on");
    await box(page).pressSequentially("see #ott");
    await options(page).first().waitFor();
    await take(0);
    await until(async () => (await value(page)).endsWith("see #otter-works "), "the room is written");
    await box(page).pressSequentially(":roc");
    await options(page).first().waitFor();
    assert.match(await chosen(page), /rocket/);
    await take(0);
    await until(async () => (await value(page)).endsWith("🚀 "), "the emoji is written");
    await box(page).pressSequentially("and :tada:");
    await until(async () => (await value(page)).endsWith("and 🎉"), "a name in colons is what it names");
    // One step of undo is one completion.
    if (!touch) {
      await box(page).press("ControlOrMeta+z");
      assert((await value(page)).endsWith("and :tada:"), await value(page));
      await box(page).press("ControlOrMeta+Shift+z");
      assert((await value(page)).endsWith("and 🎉"));
    }
    assert.equal(await rows(page).count(), 0, "nothing was sent on the way");
    if (touch) await page.getByRole("button", { name: "Send" }).tap();
    else await box(page).press("Enter");
    await rows(page).first().waitFor();
    assert.equal(await page.locator(".text a.mention").textContent(), "#otter-works");
    await page.locator(".text .mention").first().waitFor();
  }, TIMEOUT);

  test(`a preview is what will be seen: ${size}`, async t => {
    const { page } = await writing(t, how);
    const text = "**Bold** and `code` for @ada\n- one\n- two";
    await box(page).fill(text);
    await page.getByRole("button", { name: "Preview" }).click();
    await page.locator(".preview li").nth(1).waitFor();
    const seen = await page.locator(".preview .text").innerHTML();
    await assertAccessible(page);
    await box(page).press("End");
    await box(page).pressSequentially("!");
    await until(async () => (await page.locator(".preview").textContent()).endsWith("two!"), "it follows");
    await box(page).press("Backspace");
    await until(async () => (await page.locator(".preview").textContent()).endsWith("two"), "and back");
    await page.getByRole("button", { name: "Send" }).click();
    await rows(page).first().waitFor();
    assert.equal(await page.locator(".preview").count(), 0);
    const bare = html => html.replace(/ data-[\w-]+="[^"]*"|<!--.*?-->/g, "");
    assert.equal(bare(await rows(page).first().locator(".text").innerHTML()), bare(seen));
  }, TIMEOUT);

  test(`commands: ${size}`, async t => {
    const { page, server, bo } = await writing(t, how);
    const room = roomOf(page);
    const run = async text => {
      await box(page).fill(text);
      await page.getByRole("button", { name: "Send" }).click();
    };
    const said = what => until(async () => what.test(await page.locator(".said").textContent()), String(what));
    await run("/topic Lunch at noon");
    await said(/topic is changed/);
    await until(async () => (await page.locator(".topic, .room-topic, header").first().textContent()).includes("Lunch at noon"), "the topic is there").catch(() => {});
    assert((await page.locator("body").textContent()).includes("Lunch at noon"));
    assert.equal(await value(page), "");
    await run("/topic");
    await said(/Write the new topic/);
    assert.equal(await value(page), "/topic", "what was typed stays");
    await run("/nonsense here");
    await said(/There is no \/nonsense/);
    assert.equal(await value(page), "/nonsense here");
    await assertAccessible(page);
    await run("/me waves");
    await rows(page).first().waitFor();
    assert.equal(await rows(page).nth(0).locator("em").textContent(), "waves");
    await run("/shrug Who knows");
    await until(async () => (await rows(page).count()) === 2, "shrugged");
    assert.equal(await rows(page).nth(1).locator(".text").textContent(), "Who knows ¯\\_(ツ)_/¯");
    await run("//shrug");
    await until(async () => (await rows(page).count()) === 3, "escaped");
    assert.equal(await rows(page).nth(2).locator(".text").textContent(), "/shrug");
    await run("/etc/hosts is a file");
    await until(async () => (await rows(page).count()) === 4, "a path is no command");
    await run("/mute");
    await said(/Muted/);
    await page.locator(".composer[data-muted]").waitFor();
    await run("/mute");
    await said(/hear of this room again/);
    await until(async () => (await page.locator(".composer[data-muted]").count()) === 0, "heard again");
    await run("/invite @nobody");
    await said(/Nobody has the handle @nobody/);
    // Into a room that he is not in.
    const { text } = await server.request("/rooms", { cookie: await server.signIn() });
    const other = [...text.matchAll(/href="?(\/r\/([a-z]{10}))"?/g)].map(([, path, id]) => [path, id]).find(([, id]) => id !== room)[0];
    await page.goto(server.url + other);
    await settled(page);
    await run("/invite @bo");
    await said(/Bo Lind is now in the room/);
    const { text: his } = await server.request(other, { cookie: bo });
    assert(!his.includes(`action="${other}/join"`), "Bo is in");
    await run("/help");
    await page.getByRole("dialog", { name: "What one can type" }).waitFor();
    await assertAccessible(page);
    await page.keyboard.press("Escape");
    await until(async () => (await page.getByRole("dialog").count()) === 0, "it is closed");
    assert(await box(page).evaluate(el => el === document.activeElement));
  }, TIMEOUT);
}

test("Enter is Enter: an open list takes it only for what was begun", async t => {
  const { page } = await writing(t);
  const sends = async text => {
    const before = await rows(page).count();
    await box(page).pressSequentially(text);
    await box(page).press("Enter");
    await until(async () => (await rows(page).count()) === before + 1, `${text} is sent`);
    assert.equal(await value(page), "");
  };
  for (const text of ["see you @", "number #", "ok :", "smile :D", "a@adam", "https://x.example/#ot", "mail a@ad.example", "at 10:30", "`@ad"]) await sends(text);
  // Known in full: the list is no choice.
  await box(page).pressSequentially("@ada");
  await options(page).first().waitFor();
  await box(page).press("Enter");
  await until(async () => (await rows(page).count()) === 10, "it is sent");
  // Given up: Enter sends, and the list stays away for that word.
  await box(page).pressSequentially("@ad");
  await options(page).first().waitFor();
  await box(page).press("Escape");
  await until(async () => (await options(page).count()) === 0, "it is closed");
  await box(page).pressSequentially("a");
  await page.waitForTimeout(300);
  assert.equal(await options(page).count(), 0);
  await box(page).press("Enter");
  await until(async () => (await rows(page).count()) === 11, "it is sent, too");
  // Tab takes it as well; and what is gone takes nothing.
  await box(page).pressSequentially("@adam");
  await options(page).first().waitFor();
  await box(page).press("Tab");
  assert.equal(await value(page), "@adam ");
  await box(page).press("Enter");
  await until(async () => (await rows(page).count()) === 12, "and this");
  // In the box that edits a message it is the same.
  await box(page).press("ArrowUp");
  const edit = page.locator(".edit-box textarea");
  await edit.waitFor();
  await edit.pressSequentially(" and @bo");
  await options(page).first().waitFor();
  await edit.press("Escape");
  assert.equal(await options(page).count(), 0);
  assert.equal(await edit.count(), 1, "Esc closed the list, not the box");
  await edit.press("Enter");
  await until(async () => (await rows(page).last().locator(".text").textContent()).startsWith("@adam and @bo"), "it is saved");
}, TIMEOUT);

test("keys that format, and undo", async t => {
  const { page } = await writing(t);
  const select = (from, to) => box(page).evaluate((el, [from, to]) => el.setSelectionRange(from, to), [from, to]);
  const selected = () => box(page).evaluate(el => el.value.slice(el.selectionStart, el.selectionEnd));
  for (const [key, text] of [["ControlOrMeta+b", "a **word** b"], ["ControlOrMeta+i", "a _word_ b"], ["ControlOrMeta+e", "a `word` b"], ["ControlOrMeta+Shift+x", "a ~~word~~ b"]]) {
    await box(page).fill("");
    await box(page).pressSequentially("a word b");
    await select(2, 7); // with a space, which stays outside
    await box(page).press(key);
    assert.equal(await value(page), text);
    assert.equal(await selected(), "word");
    await box(page).press(key);
    assert.equal(await value(page), "a word b", "and off again");
    await box(page).press(key);
    await box(page).press("ControlOrMeta+z");
    assert.equal(await value(page), "a word b", "undo knows of it");
    await box(page).press("ControlOrMeta+Shift+z");
    assert.equal(await value(page), text, "and so does redo");
  }
  await box(page).fill("a word b");
  await select(2, 6);
  await box(page).press("ControlOrMeta+k");
  assert.equal(await value(page), "a [word](https://) b");
  assert.equal(await selected(), "https://");
  await box(page).fill("let a;\nlet b;");
  await select(0, 13);
  await box(page).press("ControlOrMeta+e");
  assert.equal(await value(page), "```\nlet a;\nlet b;\n```");
  await box(page).fill("");
  await box(page).press("ControlOrMeta+b");
  await page.keyboard.type("x");
  assert.equal(await value(page), "**x**");
  assert.equal(await rows(page).count(), 0);
}, TIMEOUT);

test("rich text is pasted as markdown", async t => {
  const { page } = await writing(t);
  const paste = (html, text = "plain") => box(page).evaluate((el, [html, text]) => {
    const data = new DataTransfer();
    if (html) data.setData("text/html", html);
    data.setData("text/plain", text);
    const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
    const taken = !el.dispatchEvent(event);
    return taken;
  }, [html, text]);
  const cases = [
    ["<p>A <b>bold</b> and <i>slanted </i>word, <code>code</code>, <s>gone</s>.</p>", "A **bold** and _slanted_ word, `code`, ~~gone~~."],
    ["<meta charset=utf-8><p>One</p><p>Two<br>three</p>\n<ul>\n <li>a</li>\n <li>b<ul><li>c</li></ul></li>\n</ul>", "One\n\nTwo\nthree\n\n- a\n- b\n  - c"],
    ["<ol start=3><li>x</li><li>y</li></ol>", "3. x\n4. y"],
    ['<a href="https://a.example/x">there</a> <a href="javascript:alert(1)">no</a> <a href="https://b.example">https://b.example</a>', "[there](https://a.example/x) no https://b.example"],
    ["<h2>Title</h2><blockquote><p>said</p></blockquote><pre><code>let a;\n  let b;\n</code></pre>", "## Title\n\n> said\n\n```\nlet a;\n  let b;\n```"],
    ["<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2|3</td></tr></table>", "| a | b |\n| --- | --- |\n| 1 | 2\\|3 |"],
    ['<b style="font-weight:normal"><p>from a <b>document</b></p></b>', "from a **document**"],
    ["<p><b>2 * 3</b> and *stars*</p>", "**2 \\* 3** and \\*stars\\*"],
    ["<img src=x onerror=\"globalThis.ran=1\"><b>safe</b><script>globalThis.ran=1</script>", "**safe**"],
  ];
  for (const [html, text] of cases) {
    await box(page).fill("");
    assert.equal(await paste(html), true, html);
    assert.equal(await value(page), text, html);
    await box(page).press("ControlOrMeta+z");
    assert.equal(await value(page), "", "one step back");
  }
  assert.equal(await page.evaluate(() => globalThis.ran), undefined);
  // Nothing rich about it: the browser pastes what is plain.
  await box(page).fill("");
  for (const html of ["<meta charset=utf-8><span style=\"color:red\">plain</span>", "<div style=\"font-family:monospace;white-space:pre\">let a;</div>", ""]) assert.equal(await paste(html), false, html);
  // Into code it goes as it is; an address on words makes a link of them.
  await box(page).fill("```\n");
  await box(page).press("ControlOrMeta+End");
  assert.equal(await paste("<b>x</b>"), false);
  await box(page).fill("look here");
  await box(page).evaluate(el => el.setSelectionRange(5, 9));
  assert.equal(await paste("", "https://a.example/"), true);
  assert.equal(await value(page), "look [here](https://a.example/)");
}, TIMEOUT);

test("an input method is left alone", async t => {
  const { page } = await writing(t);
  const engine = await page.context().newCDPSession(page);
  const show = text => engine.send("Input.imeSetComposition", { text, selectionStart: text.length, selectionEnd: text.length });
  await page.evaluate(() => { globalThis.ended = 0; document.addEventListener("compositionend", () => (globalThis.ended += 1), true); });
  await box(page).pressSequentially("@");
  for (const step of ["あ", "あd", "あだ"]) {
    await show(step);
    assert.equal(await value(page), `@${step}`);
    assert.equal(await options(page).count(), 0);
    for (const key of ["b", "e", "i"]) await page.evaluate(key => {
      const event = new KeyboardEvent("keydown", { key, ctrlKey: true, keyCode: 229, isComposing: true, bubbles: true, cancelable: true });
      document.activeElement.dispatchEvent(event);
    }, key);
    assert.equal(await value(page), `@${step}`);
  }
  assert.equal(await page.evaluate(() => globalThis.ended), 0, "still composing");
  await engine.send("Input.insertText", { text: "安" });
  assert.equal(await value(page), "@安");
  await box(page).fill("漢字@ada");
  await box(page).press("End");
  await box(page).pressSequentially("m");
  await options(page).first().waitFor();
  assert.match(await chosen(page), /Adam/);
  // A shortcode that is composed is not touched either.
  await box(page).fill("");
  await show(":tada:");
  assert.equal(await value(page), ":tada:");
}, TIMEOUT);

test("everybody is called with a warning", async t => {
  const { page } = await writing(t);
  const warning = page.locator(".audience");
  await box(page).pressSequentially("@roo");
  await options(page).filter({ hasText: "Everybody in General" }).waitFor();
  assert.match(await options(page).filter({ hasText: "Everybody in General" }).textContent(), /3 people/);
  assert.equal(await warning.isVisible(), false);
  await box(page).press("Tab");
  await warning.waitFor({ state: "visible" });
  assert.equal(await warning.textContent(), "@room calls everybody here: 3");
  await assertAccessible(page);
  await box(page).fill("mail@room.example and @roomy");
  await warning.waitFor({ state: "hidden" });
}, TIMEOUT);

test("without a connection what is known completes, and a command says that nothing was done", async t => {
  t.allow(/Failed to load resource/, /ERR_INTERNET_DISCONNECTED/, /WebSocket/);
  const server = await t.server();
  const way = await t.proxy(server);
  const [page] = await two(t, server, way);
  await box(page).pressSequentially("@bo");
  await options(page).first().waitFor();
  await box(page).fill("");
  await page.context().setOffline(true);
  await box(page).pressSequentially("and @b");
  await options(page).first().waitFor();
  assert.match(await chosen(page), /Bo/);
  await box(page).fill("/topic New");
  await box(page).press("Enter");
  await until(async () => /nothing was changed/.test(await page.locator(".said").textContent()), "it says so");
  assert.equal(await value(page), "/topic New");
  await page.context().setOffline(false);
  await box(page).fill("back");
  await box(page).press("Enter");
  await storedOnce(page, "back");
  await post(server, roomOf(page), page.logins?.[0] ?? (await server.signIn()), "by hand");
}, TIMEOUT);
