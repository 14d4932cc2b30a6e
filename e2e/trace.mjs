// What keeps the browser's main thread: tasks over 50 ms while 50 messages a second come, and while one scrolls through
// 10,000 messages. It prints and judges nothing: `script/look --trace`.

import { post, roomsByName, settled } from "./room.mjs";
import { closeBrowser, openPage, Server, SIZES, until } from "./support.mjs";

const SECONDS = 10;
const RATE = 50;

/** Tasks over 50 ms from now on, in ms; answers with a function that gives them. */
async function longTasks(page) {
  await page.evaluate(() => {
    const all = [];
    new PerformanceObserver(list => all.push(...list.getEntries().map(({ duration }) => Math.round(duration)))).observe({ type: "longtask" });
    globalThis.longTasks = all;
  });
  return () => page.evaluate(() => globalThis.longTasks);
}

function print(what, tasks) {
  const sorted = tasks.toSorted((a, b) => b - a);
  const words = sorted.length ? `the longest ${sorted.slice(0, 5).join(", ")} ms` : "none";
  console.log(`${what}: ${sorted.length} tasks over 50 ms, ${words}`);
}

const server = await Server.start({ demo: true });
const [lena, tomas] = [await server.enter(server.links[0].path), await server.enter(server.links[1].path)];
const rooms = await roomsByName(server, lena);

for (const [name, size] of Object.entries({ desktop: SIZES.desktop, phone: SIZES.phone })) {
  const page = await openPage(server, rooms.General, { ...size, login: lena });
  await settled(page);
  const messages = await longTasks(page);
  const sent = [];
  const begun = performance.now();
  while (sent.length < SECONDS * RATE) {
    const due = Math.min(Math.floor(((performance.now() - begun) / 1000) * RATE), SECONDS * RATE);
    while (sent.length < due) sent.push(post(server, rooms.General.split("/")[2], tomas, `${name} ${sent.length + 1}`));
    await new Promise(done => setTimeout(done, 5));
  }
  await Promise.all(sent);
  const rate = sent.length / ((performance.now() - begun) / 1000);
  await until(() => page.getByText(`${name} ${sent.length}`, { exact: true }).isVisible(), "the last one is seen");
  print(`${name}: ${sent.length} messages, ${rate.toFixed(0)} a second`, await messages());
  await page.context().close();
}

for (const [name, size] of Object.entries({ desktop: SIZES.desktop, phone: SIZES.phone })) {
  const page = await openPage(server, rooms.Deploys, { ...size, login: lena });
  await settled(page);
  const scrolled = await longTasks(page);
  // A screen a frame, with pages asked for on the way, until the first message is there.
  const frames = await page.evaluate(async () => {
    let frames = 0;
    for (; !document.getElementById("m-1") || document.querySelector(".edge.older"); frames++) {
      const scroll = document.querySelector(".scroll");
      scroll.scrollBy(0, -scroll.clientHeight);
      await new Promise(done => requestAnimationFrame(done));
    }
    return frames;
  });
  print(`${name}: from #10,000 to #1 in ${frames} frames`, await scrolled());
  await page.context().close();
}

await closeBrowser();
await server.stop();
