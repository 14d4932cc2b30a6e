// From one release to the next: a page that the old one gave out finds its files, or is loaded anew.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { live, program, root, temporaryFolder, test, until } from "./support.mjs";

const bundle = (...words) => spawnSync(join(root, "script/bundle"), words, { cwd: root, encoding: "utf8" });
const publicFolder = join(dirname(program), "public");

test(
  "a release that takes the place of another brings the other's files along, and no older ones",
  async t => {
    const to = join(temporaryFolder(), "beck");
    const install = () => {
      const { status, stdout, stderr } = bundle("--to", to);
      assert.equal(status, 0, stdout + stderr);
      return Number(stdout.match(/with (\d+) files of the release before/)[1]);
    };
    const has = name => existsSync(join(to, "public/assets", name));
    assert.equal(install(), 0);

    // What is there becomes another release: one file of its own, and one that it had from its own predecessor.
    const list = join(to, "assets.txt");
    const page = readFileSync(list, "utf8").match(/^assets\/(page-dxh\w+\.js)$/m)[1];
    rmSync(join(to, "public/assets", page));
    writeFileSync(join(to, "public/assets/page-dxh00.js"), "// the old one");
    writeFileSync(join(to, "public/assets/page-dxh11.js"), "// older still");
    writeFileSync(list, readFileSync(list, "utf8").replace(page, "page-dxh00.js"));
    assert.equal(install(), 1);
    assert.deepEqual([page, "page-dxh00.js", "page-dxh11.js"].map(has), [true, true, false]);
    assert.equal(install(), 1, "the same release once more");

    // Killed after the old release was moved away.
    renameSync(to, `${to}.old`);
    mkdirSync(`${to}.new/public`, { recursive: true });
    assert.equal(install(), 1);
    assert.deepEqual(readdirSync(dirname(to)), ["beck"]);

    const server = await t.server({ env: { DIOXUS_PUBLIC_PATH: join(to, "public") } });
    const old = await server.request("/assets/page-dxh00.js");
    assert.deepEqual([old.status, old.text], [200, "// the old one"]);
    assert.match(old.headers.get("cache-control"), /immutable/);
    assert.equal(execFileSync(join(to, "beck"), ["version"], { encoding: "utf8" }), execFileSync(program, ["version"], { encoding: "utf8" }));
  },
  { timeout: 300_000 },
);

test("a release is installed over nothing but a release", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "thesis.txt"), "four years");
  const { status, stderr } = bundle("--to", folder);
  assert.equal(status, 1);
  assert.match(stderr, /is not empty/);
  assert.deepEqual(readdirSync(folder), ["thesis.txt"]);
});

for (const [what, file] of [["script", /^page-.*\.js$/], ["style", /^room-.*\.css$/], ["wasm", /\.wasm$/]]) {
  test(`a page whose ${what} is gone is loaded anew, once`, async t => {
    t.allow(/404|MIME|wasm|WebAssembly|beck\b|undefined/i);
    const own = join(temporaryFolder(), "public");
    cpSync(publicFolder, own, { recursive: true });
    const server = await t.server({ env: { DIOXUS_PUBLIC_PATH: own } });
    const login = await server.setUp();
    const room = (await server.request("/", { cookie: login })).location;
    const kept = temporaryFolder();
    const gone = readdirSync(join(own, "assets")).filter(name => file.test(name.replace(/\.br$/, "")));
    assert(gone.length > 0);
    const move = (from, to) => gone.forEach(name => renameSync(join(from, name), join(to, name)));
    move(join(own, "assets"), kept);

    const page = await t.page(server, null, { login });
    let pages = 0, asked = 0;
    page.on("response", response => {
      if (response.request().isNavigationRequest()) pages += 1;
      if (gone.some(name => response.url().endsWith(name))) asked += 1;
    });
    await page.goto(server.url + room);
    await until(() => pages > 1 && asked > 1, "it was loaded anew");
    await page.waitForLoadState("networkidle");
    await page.waitForTimeout(1_000);
    assert.equal(pages, 2, "it is loaded again and again");

    // Another tab, whose second page finds the file: as with a server that was on its way to the next release.
    const second = await t.page(server, null, { login });
    let asks = 0;
    await second.route(/\/r\/\w+$/, route => {
      if (++asks === 2) move(kept, join(own, "assets"));
      return route.continue();
    });
    await second.goto(server.url + room);
    await live(second);
    assert.equal(asks, 2);
  });
}

test("a file that does not come because the network is away loads nothing anew", async t => {
  t.allow(/ERR_FAILED|beck\b|undefined/i);
  const server = await t.server();
  const login = await server.setUp();
  const page = await t.page(server, null, { login });
  let [pages, cut] = [0, 0];
  page.on("response", response => { if (response.request().isNavigationRequest() && response.status() === 200) pages += 1; });
  await page.route(/page-dxh.*\.js$/, route => { cut += 1; return route.abort(); });
  await page.goto(`${server.url}/`);
  await page.waitForLoadState("networkidle");
  assert(cut > 0);
  assert.equal(pages, 1);
});
