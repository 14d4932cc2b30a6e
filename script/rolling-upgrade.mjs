// The work of script/rolling-upgrade: servers, people who write, and a reader of the log that is none of Beck's code.
// Needs nothing but Node.

import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const [oldProgram, newProgram, redisProgram] = process.argv.slice(2).map(program => path.resolve(program));
const seconds = Number(process.env.SECONDS_EACH ?? 3);
const WRITERS = 6;
const PAUSE = 50; // ms between two posts of a writer

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "rolling-upgrade-"));
const children = new Set();
const faults = [];
const fault = words => (faults.push(words), console.error(`FAULT: ${words}`));

// ---- Processes -----------------------------------------------------------------------------------------------------

function freePort() {
  return new Promise(done => {
    const listener = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = listener.address();
      listener.close(() => done(port));
    });
  });
}

function start(program, words, env, name) {
  const child = spawn(program, words, { cwd: folder, env: { PATH: process.env.PATH, ...env }, stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  child.ended = new Promise(done => child.on("exit", (code, signal) => (children.delete(child), done(signal ?? code))));
  child.said = [];
  for (const out of [child.stdout, child.stderr]) createInterface(out).on("line", line => child.said.push(line));
  child.on("error", why => fault(`${name}: ${why.message}`));
  return child;
}

async function until(what, test, limit = 60_000) {
  for (const end = Date.now() + limit; Date.now() < end; await sleep(50)) {
    const found = await test();
    if (found) return found;
  }
  throw new Error(`${what}: not within ${limit / 1000} s`);
}

class Server {
  constructor(name, port, env) {
    Object.assign(this, { name, port, env, base: `http://127.0.0.1:${port}` });
  }

  async start(program) {
    const { name, port, env } = this;
    const data = path.join(folder, name);
    const settings = { DATA_DIR: data, IP: "127.0.0.1", PORT: String(port), LOG: "warn", DIOXUS_PUBLIC_PATH: path.join(folder, "none"), ...env };
    fs.mkdirSync(data, { recursive: true, mode: 0o700 });
    const child = (this.child = start(program, ["serve"], settings, name));
    const ready = await until(`${name} is ready`, async () => {
      if (child.exitCode !== null) return { ended: child.said.join("\n") };
      const answer = await fetch(`${this.base}/readyz`).catch(() => undefined);
      const text = (await answer?.text().catch(() => "")) ?? "";
      if (text.includes("newer")) return { ended: text };
      return answer?.status === 200 ? { ended: false } : undefined;
    });
    return ready.ended;
  }

  async stop() {
    this.child.kill("SIGTERM");
    return this.child.ended;
  }
}

// ---- HTTP and WebSocket, as in docs/example_client.mjs --------------------------------------------------------------

async function form(base, where, fields) {
  const headers = { origin: base };
  const answer = await fetch(base + where, { method: "POST", redirect: "manual", headers, body: new URLSearchParams(fields) });
  if (answer.status !== 303) throw new Error(`${where}: ${answer.status} ${await answer.text()}`);
  const [, token] = /beck_login[^=]*=([0-9a-f]{64})/.exec(answer.headers.getSetCookie().join()) ?? [];
  return { token, location: answer.headers.get("location") };
}

function open(base, token, onFrame) {
  const key = randomBytes(16).toString("base64");
  const upgrade = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": 13, "sec-websocket-key": key };
  const options = { agent: false, timeout: 10_000, headers: { ...upgrade, authorization: `Bearer ${token}` } };
  return new Promise((done, fail) => {
    const call = http.get(`${base}/ws`, options);
    call.on("timeout", () => call.destroy(new Error("no answer for 10 s")));
    call.on("error", fail).on("response", answer => (answer.resume(), fail(new Error(`the socket: ${answer.statusCode}`))));
    call.on("upgrade", (_, socket, head) => done(speak(socket, head, onFrame)));
  });
}

function speak(socket, head, onFrame) {
  const parts = [];
  let bytes = Buffer.alloc(0);
  const write = (kind, payload) => {
    const { length } = payload;
    const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 255];
    const [header, mask] = [Buffer.from([0x80 | kind, ...size]), randomBytes(4)];
    if (socket.writable) socket.write(Buffer.concat([header, mask, payload.map((byte, i) => byte ^ mask[i % 4])]));
  };
  const take = chunk => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 2) {
      let [length, from] = [bytes[1] & 127, 2];
      if (length >= 126) from = length === 126 ? 4 : 10;
      if (bytes.length < from) return;
      if (length >= 126) length = from === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
      if (bytes.length < from + length) return;
      const [kind, last, payload] = [bytes[0] & 15, bytes[0] & 0x80, bytes.subarray(from, from + length)];
      bytes = bytes.subarray(from + length);
      if (kind === 9) write(10, payload);
      if (kind <= 1) parts.push(payload);
      if (kind <= 1 && last) onFrame(JSON.parse(Buffer.concat(parts.splice(0)).toString()));
      if (kind === 8) return write(8, payload.subarray(0, 2)), socket.end();
    }
  };
  const closed = new Promise(done => socket.on("close", done));
  socket.setTimeout(0);
  socket.on("error", () => {}).on("data", take);
  if (head.length) setImmediate(() => socket.unshift(head));
  return { closed, send: frame => write(1, Buffer.from(JSON.stringify(frame))), cut: () => socket.destroy() };
}

function uuid7() {
  const id = randomBytes(16);
  id.writeUIntBE(Date.now(), 0, 6);
  id[6] = 0x70 | (id[6] & 0x0f);
  id[8] = 0x80 | (id[8] & 0x3f);
  return id.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

// ---- People who write ----------------------------------------------------------------------------------------------

class Writer {
  constructor(name, servers, at, token, room) {
    Object.assign(this, { name, servers, at, token, room });
    Object.assign(this, { posts: 0, acked: new Map(), waiting: new Map(), refused: [], moves: 0, told: 0, later: 0, over: false });
  }

  write() {
    const [id, text] = [uuid7(), `${this.name}, ${this.posts++}`];
    this.waiting.set(id, text);
    this.send?.(id, text);
  }

  async run() {
    while (!this.over) {
      try {
        await this.connection();
      } catch {
        // The server is away: the other one is asked.
      }
      this.send = undefined;
      if (this.over) return;
      this.at = (this.at + 1) % this.servers.length;
      this.moves++;
      await sleep(this.pause ?? 50);
    }
  }

  async connection() {
    this.pause = undefined;
    let again;
    const all = () => this.waiting.forEach((text, id) => this.send(id, text));
    const socket = await open(this.servers[this.at].base, this.token, frame => {
      const { t, id, outcome, code } = frame;
      if (t === "welcome") {
        this.send = (id, text) => socket.send({ t: "post", id, room: this.room, text });
        all();
      } else if (t === "ack" && this.waiting.has(id)) {
        if (outcome.is === "stored") this.acked.set(id, outcome);
        else this.refused.push({ id, why: outcome.why });
        this.waiting.delete(id);
      } else if (t === "error" && this.waiting.has(id)) {
        if (["throttled", "unavailable", "unknown", "behind"].includes(code)) {
          this.later++;
          again ??= setTimeout(() => ((again = undefined), this.send && all()), 300);
        } else {
          this.refused.push({ id, why: code });
          this.waiting.delete(id);
        }
      } else if (t === "moving") {
        this.told++;
        this.pause = Math.min(frame.after_ms ?? 0, 1_000);
        this.send = undefined;
        socket.cut();
      }
    });
    this.cut = socket.cut;
    socket.send({ t: "hello", version: 1 });
    const beat = setInterval(() => socket.send({ t: "beat", positions: {} }), 15_000);
    await socket.closed;
    clearInterval(beat);
    clearTimeout(again);
  }
}

/** Everything of a room as a server gives it: id, text and place of each message, with the chain recomputed. */
async function wholeRoom(server, token, room) {
  const answers = [];
  const socket = await open(server.base, token, frame => answers.push(frame));
  socket.send({ t: "hello", version: 1 });
  const messages = [];
  let [seq, chain] = [0, "0".repeat(16)];
  for (let req = 1; ; req++) {
    socket.send({ t: "fetch", req, room, after: seq, to: seq + 500 });
    const { events, message } = await until("events", () => answers.find(frame => frame.req === req));
    if (!events) throw new Error(`${server.name}: ${message}`);
    if (events.length === 0) break;
    for (const event of events) {
      const { g, at, by, id, room, kind, target, slot, digest } = event.header;
      const rest = [by, id, room, kind, target, slot, digest].map(word => word ?? "-").join(" ");
      chain = linkAfter(chain, g, at, rest);
      if (event.seq !== ++seq || event.chain !== chain) fault(`${server.name}: event ${seq} does not continue the one before it`);
      if (kind === "message") messages.push({ id, text: event.body?.text, seq, g });
    }
  }
  socket.cut();
  return { seq, chain, messages };
}

// ---- The log, read without Beck ------------------------------------------------------------------------------------

const linkAfter = (before, g, at, rest) => createHash("sha1").update(`${before}\n${g}\n${at}\n${rest}`).digest("hex").slice(0, 16);

/** One connection to Redis; answers are texts (as buffers) and lists. */
function redisAt(port) {
  const socket = net.connect(port, "127.0.0.1");
  let bytes = Buffer.alloc(0);
  const waiting = [];
  const line = at => {
    const end = bytes.indexOf("\r\n", at);
    return end < 0 ? undefined : [bytes.toString("utf8", at + 1, end), end + 2];
  };
  const read = at => {
    const found = line(at);
    if (!found) return undefined;
    const [kind, [rest, next]] = [String.fromCharCode(bytes[at]), found];
    if (kind === "$") {
      const length = Number(rest);
      if (length < 0) return [null, next];
      return bytes.length < next + length + 2 ? undefined : [bytes.toString("utf8", next, next + length), next + length + 2];
    }
    if (kind !== "*") return [kind === "-" ? new Error(rest) : rest, next];
    const list = [];
    let to = next;
    for (let n = Number(rest); n > 0; n--) {
      const item = read(to);
      if (!item) return undefined;
      list.push(item[0]);
      to = item[1];
    }
    return [list, to];
  };
  socket.on("data", chunk => {
    bytes = Buffer.concat([bytes, chunk]);
    for (let answer; waiting.length && bytes.length && (answer = read(0)); bytes = bytes.subarray(answer[1])) waiting.shift()(answer[0]);
  });
  const ask = (...words) => {
    socket.write(`*${words.length}\r\n${words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`);
    return new Promise(done => waiting.push(done));
  };
  return { ask, end: () => socket.destroy() };
}

async function readLog(port) {
  const redis = redisAt(port);
  const entries = new Map();
  for (let from = 1; ; ) {
    const found = await redis.ask("XRANGE", "{beck}:log", `${from}-0`, "+", "COUNT", "1000");
    if (found.length === 0) break;
    for (const [id, list] of found) {
      const g = Number(id.split("-")[0]);
      const field = name => list[list.indexOf(name) + 1];
      entries.set(g, { g, at: field("at"), link: field("link"), rest: field("rest"), body: field("body") });
      from = g + 1;
    }
  }
  const erased = await redis.ask("HGETALL", "{beck}:erased");
  for (let n = 0; n < erased.length; n += 2) {
    const [, at, link, rest] = /^(\S+) (\S+) (.*)$/.exec(erased[n + 1]);
    entries.set(Number(erased[n]), { g: Number(erased[n]), at, link, rest });
  }
  redis.end();
  return [...entries.values()].sort((a, b) => a.g - b.g);
}

/** Numbers, times, links and bodies; gives how many entries there are, how many of each message, and the format. */
function checkLog(entries) {
  let [before, last] = ["0".repeat(16), 0];
  const times = new Map();
  let format = 0;
  entries.forEach(({ g, at, link, rest, body }, index) => {
    if (g !== index + 1) fault(`entry ${index + 1} is missing in the log`);
    if (Number(at) < last) fault(`the time of entry ${g} is before that of the entry before it`);
    if (link !== linkAfter(before, g, at, rest)) fault(`entry ${g} does not continue the one before it`);
    const [, id, , kind, , , digest] = rest.split(" ");
    if (body !== undefined && createHash("sha256").update(body).digest("hex").slice(0, 32) !== digest) {
      fault(`the body of entry ${g} is not the one of its header`);
    }
    if (kind === "message") times.set(id, (times.get(id) ?? 0) + 1);
    if (kind === "workspace") format = JSON.parse(body.slice(16)).format;
    if (kind === "format") format = Number(body.slice(16));
    [before, last] = [link, Number(at)];
  });
  return { times, format };
}

// ---- What is done --------------------------------------------------------------------------------------------------

async function rolling() {
  const redisPort = await freePort();
  const words = ["--port", redisPort, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--dir", folder];
  const redis = start(redisProgram, words.map(String), {}, "Redis");
  await until("Redis is there", () => redis.said.some(line => line.includes("eady to accept connections")));
  const env = { REDIS_URL: `redis://127.0.0.1:${redisPort}` };
  const servers = [new Server("a", await freePort(), env), new Server("b", await freePort(), env)];
  for (const server of servers) {
    const ended = await server.start(oldProgram);
    if (ended) throw new Error(`${server.name} does not start: ${ended}`);
  }
  const owner = { workspace: "Rolling", name: "Olive", handle: "olive", password: "a long password" };
  const { token, location } = await form(servers[0].base, "/setup", owner);
  const room = location.split("/")[2];

  const writers = [];
  for (let n = 0; n < WRITERS; n++) writers.push(new Writer(`writer ${n}`, servers, n % 2, token, room));
  const runs = writers.map(writer => writer.run());
  const clock = setInterval(() => writers.forEach(writer => writer.write()), PAUSE);
  await sleep(seconds * 1000);

  let [replaced, back] = [0, 0];
  const replace = async (server, program, what) => {
    const before = writers.reduce((sum, writer) => sum + writer.acked.size, 0);
    const code = await server.stop();
    if (code !== 0) fault(`${server.name} ended with ${code}`);
    const ended = await server.start(program);
    await sleep(seconds * 1000);
    const acked = writers.reduce((sum, writer) => sum + writer.acked.size, 0) - before;
    if (acked === 0) fault(`nothing was acknowledged while ${server.name} was replaced`);
    console.log(`${server.name} is ${what} now; ${acked} posts were acknowledged meanwhile${ended ? `; but: ${ended}` : ""}`);
    return ended;
  };
  for (const server of servers) {
    const ended = await replace(server, newProgram, "new");
    if (ended) fault(`the new build does not go on with ${server.name}: ${ended}`);
    else replaced++;
  }
  for (const server of servers) {
    const ended = await replace(server, oldProgram, "old again");
    if (!ended) {
      back++;
      continue;
    }
    console.log(`The way back is closed: ${ended}`);
    await server.stop();
    await server.start(newProgram);
    break;
  }

  clearInterval(clock);
  await until("everything is acknowledged", () => writers.every(writer => writer.waiting.size === 0), 30_000).catch(() => {});
  for (const writer of writers) {
    writer.over = true;
    writer.cut?.();
  }
  await Promise.all(runs);

  const texts = new Map(writers.flatMap(writer => [...writer.acked.keys()].map(id => [id, writer])));
  const sum = of => writers.reduce((sum, writer) => sum + of(writer), 0);
  const [posts, acked, refused, unknown] = [sum(w => w.posts), sum(w => w.acked.size), sum(w => w.refused.length), sum(w => w.waiting.size)];
  if (posts === 0 || replaced !== 2) fault(`${posts} posts, ${replaced} servers replaced`);
  if (refused > 0) fault(`refused: ${JSON.stringify(writers.flatMap(writer => writer.refused).slice(0, 5))}`);
  if (unknown > 0) fault(`${unknown} posts have no answer`);
  if (writers.some(writer => writer.moves === 0)) fault("somebody never moved");

  // What people see, on both servers.
  const rooms = [];
  for (const server of servers) rooms.push(await wholeRoom(server, token, room));
  let [lost, doubled, disordered] = [0, 0, 0];
  for (const [index, { messages }] of rooms.entries()) {
    const seen = new Map();
    const numbers = new Map();
    for (const { id, text, seq } of messages) {
      seen.set(id, (seen.get(id) ?? 0) + 1);
      const outcome = texts.get(id)?.acked.get(id);
      if (outcome && outcome.seq !== seq) fault(`the ack of ${id} named another place`);
      const [name, number] = text.split(", ");
      if (Number(number) <= (numbers.get(name) ?? -1)) disordered++;
      numbers.set(name, Number(number));
    }
    for (const id of texts.keys()) if (!seen.has(id)) lost++;
    for (const times of seen.values()) if (times > 1) doubled++;
    console.log(`${servers[index].name} shows ${messages.length} messages in ${rooms[index].seq} events`);
  }
  if (JSON.stringify(rooms[0]) !== JSON.stringify(rooms[1])) fault("the servers show different rooms");

  // The log itself.
  const entries = await readLog(redisPort);
  const { times, format } = checkLog(entries);
  for (const id of texts.keys()) if (!times.has(id)) lost++;
  if (lost + doubled + disordered > 0) fault(`lost ${lost}, doubled ${doubled}, out of order ${disordered}`);
  const again = [...times.values()].reduce((sum, n) => sum + n - 1, 0);
  for (const server of servers) await server.stop();
  redis.kill("SIGTERM");
  console.log(
    `Rolling: ${posts} posts, ${acked} acknowledged, ${refused} refused, ${unknown} unknown, ${lost} lost, ${doubled} doubled; ` +
      `${entries.length} entries linked, format ${format}, ${again} sent again; ${replaced} servers replaced, ${back} brought back; ` +
      `${sum(w => w.told)} told to move, ${sum(w => w.moves)} moves, ${sum(w => w.later)} told to try later`,
  );
}

/** Appends a `format` entry as the operator, without Beck: the log rises although an old server runs on the store. */
async function raise(port, number) {
  const redis = redisAt(port);
  const [[, first]] = await redis.ask("XRANGE", "{beck}:log", "-", "+", "COUNT", "1");
  const operator = JSON.parse(first[first.indexOf("body") + 1].slice(16)).id;
  const body = `${randomBytes(8).toString("hex")}${number}`;
  const digest = createHash("sha256").update(body).digest("hex").slice(0, 32);
  const rest = `${operator} ${uuid7()} - format - - ${digest}`;
  for (;;) {
    const [[id, list]] = await redis.ask("XREVRANGE", "{beck}:log", "+", "-", "COUNT", "1");
    const field = name => list[list.indexOf(name) + 1];
    const [g, at] = [Number(id.split("-")[0]) + 1, Math.max(Number(field("at")), Date.now())];
    const link = linkAfter(field("link"), g, at, rest);
    const stored = await redis.ask("XADD", "{beck}:log", `${g}-0`, "at", String(at), "link", link, "rest", rest, "body", body);
    // Another entry may have come meanwhile: its number is taken.
    if (!(stored instanceof Error)) return redis.end(), g;
  }
}

/** An old and a new server on one store, while people write, until the log rises to format 5; then the new one alone. */
async function mixed() {
  const redisPort = await freePort();
  const data = path.join(folder, "mixed");
  fs.mkdirSync(data);
  const words = ["--port", redisPort, "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "always", "--dir", data];
  const redis = start(redisProgram, words.map(String), {}, "Redis");
  await until("Redis is there", () => redis.said.some(line => line.includes("eady to accept connections")));
  const env = { REDIS_URL: `redis://127.0.0.1:${redisPort}` };
  const newEnv = { ...env, BECK_NEWEST_FORMAT: "5" };
  const [before, after, third] = [
    new Server("mixed-old", await freePort(), env),
    new Server("mixed-new", await freePort(), newEnv),
    new Server("mixed-third", await freePort(), newEnv),
  ];
  for (const [server, program] of [[before, oldProgram], [after, newProgram]]) {
    const ended = await server.start(program);
    if (ended) throw new Error(`${server.name} does not start: ${ended}`);
  }
  const owner = { workspace: "Mixed", name: "Olive", handle: "olive", password: "a long password" };
  const { token, location } = await form(before.base, "/setup", owner);
  const room = location.split("/")[2];
  const writers = [];
  for (let n = 0; n < WRITERS; n++) writers.push(new Writer(`writer ${n}`, [before, after], n % 2, token, room));
  const runs = writers.map(writer => writer.run());
  let writing = true;
  const clock = setInterval(() => writing && writers.forEach(writer => writer.write()), PAUSE);
  const acked = () => writers.reduce((sum, writer) => sum + writer.acked.size, 0);
  await sleep(seconds * 2000);
  writing = false;
  await until("everything is acknowledged", () => writers.every(writer => writer.waiting.size === 0), 30_000);
  const [one, other] = [await wholeRoom(before, token, room), await wholeRoom(after, token, room)];
  writing = true;
  if (JSON.stringify(one) !== JSON.stringify(other)) fault("the old and the new server show different rooms before the rise");
  if (acked() === 0) fault("nothing was acknowledged before the rise");

  // A server that was heard and cannot read format 5 keeps the command from raising the log.
  const command = start(newProgram, ["format", "raise"], { ...newEnv, DATA_DIR: path.join(folder, after.name) }, "beck format raise");
  const code = await command.ended;
  if (code === 0) fault(`beck format raise did not mind the old server: ${command.said.join(" ")}`);
  console.log(`beck format raise: ${command.said.filter(line => line).slice(0, 3).join(" ")}`);

  const rise = await raise(redisPort, 5);
  const said = await until("the old server says that the log is newer", async () => {
    const answer = await fetch(`${before.base}/readyz`).catch(() => undefined);
    const text = (await answer?.text().catch(() => "")) ?? "";
    return answer?.status !== 200 && text.includes("newer") ? text : undefined;
  });
  console.log(`mixed-old says: ${said.trim()}`);
  await sleep(seconds * 1000);
  const middle = acked();
  await before.stop();
  await until("posts go on", () => acked() > middle + WRITERS);
  await sleep(seconds * 1000);
  clearInterval(clock);
  await until("everything is acknowledged", () => writers.every(writer => writer.waiting.size === 0), 30_000).catch(() => {});
  for (const writer of writers) {
    writer.over = true;
    writer.cut?.();
  }
  await Promise.all(runs);
  const refused = writers.flatMap(writer => writer.refused);
  const unknown = writers.reduce((sum, writer) => sum + writer.waiting.size, 0);
  if (refused.length + unknown > 0) fault(`${unknown} posts have no answer, refused: ${JSON.stringify(refused.slice(0, 5))}`);

  // The old build does not start on this log, and a server with an empty folder shows the same room.
  const ended = await before.start(oldProgram);
  if (!ended || !/newer/.test(ended)) fault(`the old build starts on a log of format 5: ${ended}`);
  await before.stop();
  const late = await third.start(newProgram);
  if (late) fault(`a new server does not start: ${late}`);
  const [shown, afresh] = [await wholeRoom(after, token, room), await wholeRoom(third, token, room)];
  if (JSON.stringify(shown) !== JSON.stringify(afresh)) fault("a fresh server shows another room");
  const ids = new Set(shown.messages.map(({ id }) => id));
  for (const writer of writers) for (const id of writer.acked.keys()) if (!ids.has(id)) fault(`${id} is lost`);
  if (ids.size !== shown.messages.length) fault("a message is shown twice");

  // Until the rise everything has the form of format 4, and after it nothing has: the old server wrote nothing more.
  const entries = await readLog(redisPort);
  const { format } = checkLog(entries);
  const texts = { before: 0, after: 0 };
  const wrong = [];
  for (const { g, rest, body } of entries.filter(({ rest }) => rest.split(" ")[3] === "message")) {
    const five = /^[0-9a-f]{32}\{.*\n\{.*\}$/.test(body);
    texts[g < rise ? "before" : "after"]++;
    if (five !== g > rise) wrong.push(g);
  }
  if (wrong.length > 0) fault(`the log rose at ${rise}; of the wrong form are ${wrong.length} entries: ${wrong.slice(0, 9)}`);
  if (format !== 5 || texts.before === 0 || texts.after === 0) fault(`format ${format}, ${JSON.stringify(texts)}`);
  await after.stop();
  await third.stop();
  redis.kill("SIGTERM");
  console.log(`Mixed: the log rose at entry ${rise}; ${texts.before} posts before it and ${texts.after} after it, ${acked()} acknowledged`);
}

/** A folder that the new build has written is opened by the old one, unless the log is of a newer format. */
async function folderBack() {
  const server = new Server("folder", await freePort(), {});
  await server.start(newProgram);
  const owner = { workspace: "Folder", name: "Olive", handle: "olive", password: "a long password" };
  const { token, location } = await form(server.base, "/setup", owner);
  const room = location.split("/")[2];
  const writer = new Writer("writer", [server], 0, token, room);
  const run = writer.run();
  for (let n = 0; n < 50; n++) {
    writer.write();
    await sleep(10);
  }
  await until("everything is acknowledged", () => writer.waiting.size === 0);
  writer.over = true;
  writer.cut();
  await run;
  const before = await wholeRoom(server, token, room);
  await server.stop();
  const ended = await server.start(oldProgram);
  if (ended) {
    if (!/newer/.test(ended)) fault(`the old build does not open the folder: ${ended}`);
    console.log(`Folder: the old build does not open what the new one wrote: ${ended}`);
    return;
  }
  const after = await wholeRoom(server, token, room);
  if (JSON.stringify(before) !== JSON.stringify(after)) fault("the old build shows another room of the folder");
  await server.stop();
  console.log(`Folder: the old build shows all ${after.messages.length} messages that the new one wrote`);
}

let code = 1;
try {
  if (process.env.MIXED) await mixed();
  else {
    await rolling();
    await folderBack();
  }
  code = faults.length ? 1 : 0;
} catch (why) {
  console.error(why);
  for (const child of children) console.error(child.said.slice(-5).join("\n"));
} finally {
  for (const child of children) child.kill("SIGKILL");
  fs.rmSync(folder, { recursive: true, force: true });
}
console.log(code === 0 ? "Well." : `Faults: ${faults.length}.`);
process.exit(code);
