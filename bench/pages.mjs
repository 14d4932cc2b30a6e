// Delay of a room's pages over the socket (the newest, at random, around a message) and as HTML. Prints p50 and p99 of
// each in milliseconds as JSON.
// node pages.mjs HOST:PORT TOKENS ROOMS COUNT
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import WebSocket from "ws";

const [host, tokens, rooms, count] = process.argv.slice(2);
const first = path => readFileSync(path, "utf8").split("\n")[0];
const [token, room] = [first(tokens), first(rooms)];
const WARM = 10; // not counted
const PAUSE_MS = 40; // an account may send 30 frames a second

const socket = new WebSocket(`ws://${host}/ws`, { headers: { authorization: `Bearer ${token}` } });
const waiting = new Map();
let requests = 0;

function ask(at) {
  const req = ++requests;
  socket.send(JSON.stringify({ t: "page", req, room, at, limit: 50 }));
  return new Promise(done => waiting.set(req, done));
}

async function html(ordinal) {
  const answer = await fetch(`http://${host}/r/${room}/${ordinal}`, { headers: { cookie: `beck_login=${token}` } });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`the page was answered with ${answer.status}`);
  return { page: text };
}

async function measure() {
  const { page, code } = await ask("newest");
  if (!page) throw new Error(`the newest page was refused: ${code}`);
  const ordinal = () => 1 + Math.floor(Math.random() * page.head);
  const kinds = {
    "the newest": () => ask("newest"),
    "at random": () => ask({ before: ordinal() }),
    "around a message": () => ask({ around: ordinal() }),
    "as HTML": () => html(ordinal()),
  };
  const results = {};
  for (const [name, one] of Object.entries(kinds)) {
    const delays = [];
    for (let number = 0; number < WARM + Number(count); number++) {
      const start = performance.now();
      const answer = await one();
      if (!answer.page) throw new Error(`a page was refused: ${answer.code}`);
      if (number >= WARM) delays.push(performance.now() - start);
      await sleep(PAUSE_MS);
    }
    delays.sort((a, b) => a - b);
    const at = share => delays[Math.min(delays.length - 1, Math.floor(delays.length * share))];
    results[name] = { p50: at(0.5), p99: at(0.99), count: delays.length };
  }
  console.log(JSON.stringify(results));
}

function fail(error) {
  console.error(error.message);
  process.exit(1);
}
socket.on("error", fail);
socket.on("close", () => fail(new Error("the server closed the socket")));
socket.on("open", () => socket.send(JSON.stringify({ t: "hello", version: 1 })));
socket.on("message", data => {
  const frame = JSON.parse(data);
  waiting.get(frame.req)?.(frame);
  waiting.delete(frame.req);
  if (frame.t === "welcome") measure().then(() => process.exit(0), fail);
});
