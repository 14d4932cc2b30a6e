// What is being written belongs to the person: nothing is sent early, doubled, lost or put into another room, whatever
// the way of typing, and whatever else happens on the page.

import assert from "node:assert/strict";
import { LONG, NO_SERVER, box, complete, offline, online, post, roomOf, settled, storedOnce, texts, two } from "./room.mjs";
import { live, test, until } from "./support.mjs";

const TIMEOUT = { timeout: 120_000 };

/** What an input method puts on the screen step by step, and what is taken in the end; a text may have several parts. */
const WRITING = {
  Japanese: [[["k", "か", "かn", "かん", "かんj", "かんじ", "漢字", "感じ", "漢字"], "漢字"], [["d", "で", "です", "です。"], "です。"]],
  Korean: [[["ㅎ", "하", "한"], "한"], [["ㄱ", "그", "글"], "글"], [["ㅇ", "이", "입"], "입"]],
  Chinese: [[["n", "ni", "ni h", "ni hao", "你好"], "你好"], [["sh", "shi j", "shi jie", "世界"], "世界"]],
};

/** Ada's box, focused, with an input method at hand; and what the page heard of it. */
async function writer(page) {
  const engine = await page.context().newCDPSession(page);
  await box(page).focus();
  await page.evaluate(() => {
    globalThis.heard = { compositionstart: 0, compositionend: 0, submit: 0 };
    for (const kind of Object.keys(globalThis.heard)) document.addEventListener(kind, () => (globalThis.heard[kind] += 1), true);
    document.querySelector(".composer textarea").__same = 1;
  });
  return {
    /** Shows a text that is not taken yet. */
    show: text => engine.send("Input.imeSetComposition", { text, selectionStart: text.length, selectionEnd: text.length }),
    take: text => engine.send("Input.insertText", { text }),
    heard: () => page.evaluate(() => globalThis.heard),
    same: () => page.evaluate(() => {
      const box = document.querySelector(".composer textarea");
      return box.__same === 1 && box === document.activeElement;
    }),
  };
}

/** The Enter that confirms a candidate, as browsers tell of it: while composing, and (Safari) just after. */
async function confirm(page, isComposing) {
  await page.evaluate(isComposing => {
    const event = new KeyboardEvent("keydown", { key: "Enter", code: "Enter", keyCode: 229, which: 229, isComposing, bubbles: true, cancelable: true });
    if (event.keyCode !== 229 || event.isComposing !== isComposing) throw new Error("this browser cannot tell of it");
    document.activeElement.dispatchEvent(event);
  }, isComposing);
}

const posts = way => way.sockets.flatMap(({ sent }) => sent).filter(({ t }) => t === "post");

test("Japanese, Korean and Chinese: sent once, and only when told to", async t => {
  const server = await t.server();
  const way = await t.proxy(server);
  const [ada, bo] = await two(t, server, way);
  const method = await writer(ada);
  const all = [];
  let confirmed = 0;
  for (const parts of Object.values(WRITING)) {
    let before = "";
    for (const [steps, taken] of parts) {
      for (const step of steps) {
        await method.show(step);
        assert.equal(await box(ada).inputValue(), before + step);
        await confirm(ada, true);
        confirmed += 1;
      }
      await method.take(taken);
      before += taken;
      assert.equal(await box(ada).inputValue(), before);
      await confirm(ada, false);
      confirmed += 1;
      assert.equal(await box(ada).inputValue(), before);
    }
    assert.equal(posts(way).length, all.length, "nothing is sent early");
    assert.equal((await method.heard()).submit, all.length);
    await box(ada).press("Enter");
    all.push(before);
    await storedOnce(ada, before);
    assert.equal(await box(ada).inputValue(), "");
  }
  assert.deepEqual(all, ["漢字です。", "한글입", "你好世界"]);
  for (const page of [ada, bo]) await complete(page, all);
  assert.deepEqual(posts(way).map(({ text }) => text), all);
  assert(confirmed > 20);
  const { compositionstart, compositionend } = await method.heard();
  assert.equal(compositionstart, 7, "each part was a composition");
  assert.equal(compositionend, 7);
}, TIMEOUT);

test("the button sends what is still being composed, once", async t => {
  const server = await t.server();
  const way = await t.proxy(server);
  const [ada, bo] = await two(t, server, way);
  const method = await writer(ada);
  for (const text of ["かんじ", "한글"]) {
    await method.show(text);
    await ada.getByRole("button", { name: "Send" }).click();
    await storedOnce(ada, text);
    assert.equal(await box(ada).inputValue(), "");
    // And the next one is not wiped away by what is left of the last.
    await box(ada).focus();
    await method.show("つぎ");
    await method.take("次");
    assert.equal(await box(ada).inputValue(), "次");
    await box(ada).fill("");
  }
  await complete(bo, ["かんじ", "한글"]);
  assert.deepEqual(posts(way).map(({ text }) => text), ["かんじ", "한글"]);
}, TIMEOUT);

test("what arrives while one composes does not disturb it", async t => {
  t.allow(...NO_SERVER);
  const server = await t.server();
  const way = await t.proxy(server);
  const pages = await two(t, server, way);
  const { logins } = pages;
  const [ada, bo] = pages;
  const room = roomOf(ada);
  const method = await writer(ada);
  const untouched = async (value, what) => {
    assert.equal(await box(ada).inputValue(), value, what);
    assert(await method.same(), `${what}: the same box, and still in it`);
    assert.equal((await method.heard()).compositionend, 0, `${what}: still composing`);
  };
  await method.show("か");
  for (let n = 1; n <= 5; n++) {
    await post(server, room, logins[1], `Bo says ${n}.`);
    await until(async () => (await texts(ada)).length === n, "it is there");
    await untouched("か", `message ${n}`);
  }
  // The way breaks and comes back: the box gets another edge, and keeps its text.
  way.cut();
  await offline(ada);
  await untouched("か", "offline");
  await method.show("かん");
  way.mend();
  await online(ada);
  await untouched("かん", "online");
  await ada.setViewportSize({ width: 900, height: 700 });
  await untouched("かん", "another size");
  await method.show("漢");
  await untouched("漢", "the next step");
  await method.take("漢");
  assert.equal(await box(ada).inputValue(), "漢");
  await box(ada).press("Enter");
  for (const page of [ada, bo]) await storedOnce(page, "漢");
  assert.equal(posts(way).filter(({ text }) => text === "漢").length, 1);
  assert(way.counts.cut > 0, JSON.stringify(way.counts));
}, TIMEOUT);

test("written before the page is live", async t => {
  const server = await t.server();
  const login = await server.setUp();
  const page = await t.page(server, undefined, { login });
  let release;
  const released = new Promise(done => (release = done));
  let held = 0;
  await page.route(/\.wasm(\?|$)/, async route => {
    held += 1;
    await released;
    await route.continue();
  });
  await page.goto(server.url + "/", { waitUntil: "domcontentloaded" });
  await box(page).focus();
  await page.keyboard.type("Typed early, ");
  const method = await writer(page);
  await method.show("か");
  await until(() => held > 0, "the client is asked for");
  assert.equal(await page.locator('html[data-live="1"]').count(), 0);
  release();
  await live(page);
  await online(page);
  assert.equal(await box(page).inputValue(), "Typed early, か");
  assert(await method.same(), "the same box, and still in it");
  assert.equal((await method.heard()).compositionend, 0);
  await method.take("漢");
  await page.keyboard.type(" and late");
  assert.equal(await box(page).inputValue(), "Typed early, 漢 and late");
  await box(page).press("Enter");
  await complete(page, ["Typed early, 漢 and late"]);
  assert(held > 0);
}, TIMEOUT);

test("a draft stays in its room, over other rooms and reloads", async t => {
  const server = await t.server();
  const login = await server.setUp();
  await server.join(await server.joinPath(login));
  const { location: kitchen } = await server.request("/rooms", { fields: { name: "Kitchen", topic: "Lunch" }, cookie: login });
  await server.request("/rooms", { fields: { name: "Garden", topic: "" }, cookie: login });
  const page = await t.page(server, "/", { login });
  await settled(page);
  const to = async name => {
    await page.locator(".sidebar").getByRole("link", { name }).click();
    await page.getByRole("heading", { name, level: 1 }).waitFor();
    assert.equal(await box(page).getAttribute("placeholder"), `Write to ${name}`);
  };
  const holds = async (name, text) => {
    await until(async () => (await box(page).inputValue()) === text, `${name} holds “${text}”`, 5000).catch(async fault => {
      throw new Error(`${fault.message}, but “${await box(page).inputValue()}”`);
    });
  };
  await box(page).pressSequentially("For General");
  // At once after the last key: nothing may still be on its way.
  await to("Kitchen");
  await holds("Kitchen", "");
  await box(page).pressSequentially("For the kitchen");
  await to("Garden");
  await holds("Garden", "");
  await to("General");
  await holds("General", "For General");
  await page.reload();
  await settled(page);
  await holds("General", "For General");
  await to("Kitchen");
  await holds("Kitchen", "For the kitchen");
  await page.reload();
  await settled(page);
  await holds("Kitchen", "For the kitchen");
  // What is sent is no draft any more, and the other one stays.
  await box(page).press("Enter");
  await storedOnce(page, "For the kitchen");
  await holds("Kitchen", "");
  await page.reload();
  await settled(page);
  await holds("Kitchen", "");
  assert.equal(new URL(page.url()).pathname, kitchen);
  await to("Garden");
  await holds("Garden", "");
  await to("General");
  await holds("General", "For General");
  await box(page).fill("");
  await page.reload();
  await settled(page);
  await holds("General", "");
  assert.deepEqual(await texts(page), []);
}, TIMEOUT);

test("a draft is its writer's: another person at the same browser does not see it", async t => {
  const server = await t.server();
  const login = await server.setUp();
  const bo = { handle: "bo", password: "battery staple" };
  await server.join(await server.joinPath(login), { name: "Bo Lind", ...bo });
  const page = await t.page(server, "/", { login });
  await settled(page);
  await box(page).pressSequentially("Nobody else's business");
  await page.reload();
  await settled(page);
  await page.locator("summary.own-row").click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL(/\/sign-in$/);
  await page.getByLabel("Handle").fill(bo.handle);
  await page.getByLabel("Password").fill(bo.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(/\/r\//, { timeout: LONG });
  await settled(page);
  assert.equal(await box(page).inputValue(), "");
}, TIMEOUT);
