// An example of a client, written from protocol.md alone, with nothing but Node 20 (it has no WebSocket of its own).
//
//   node docs/example_client.mjs <base url> <handle> <password> <room name> [text] [--once]
//
// It prints the newest page of the room and then what happens there, and posts the text, if there is one. After a cut it
// goes on where it was; after a reset it prints a page again. With --once it ends with 0 when its own text came back as
// an event whose chain agrees (with 1 if it never will).

import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

const once = process.argv.includes("--once");
const [base, handle, password, roomName, text] = process.argv.slice(2).filter(word => word !== "--once");
if (!roomName || (once && text === undefined)) {
  console.error("node docs/example_client.mjs <base url> <handle> <password> <room name> [text] [--once]");
  process.exit(2);
}

/** What coming back does not mend. */
class Hopeless extends Error {}
const note = words => console.error(`(${words})`);

// ---- HTTP and WebSocket --------------------------------------------------------------------------------------------

/** Signs in by the form; answers with the token that is in the cookie. */
async function signIn() {
  const headers = { origin: new URL(base).origin };
  const form = { method: "POST", redirect: "manual", headers, body: new URLSearchParams({ handle, password }) };
  const answer = await fetch(new URL("/sign-in", base), { ...form, signal: AbortSignal.timeout(10_000) });
  const [, found] = /beck_login\w*=([0-9a-f]{64})/.exec(answer.headers.getSetCookie().join()) ?? [];
  if (answer.status === 303 && found) return found;
  throw new (answer.status < 500 ? Hopeless : Error)(`signing in: ${answer.status}`);
}

/** Opens the socket. `onFrame` gets each JSON frame; `closed` is a promise of the close code (1006 without one). */
function open(token, onFrame) {
  const key = randomBytes(16).toString("base64");
  const upgrade = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": 13, "sec-websocket-key": key };
  const options = { agent: false, timeout: 10_000, headers: { ...upgrade, authorization: `Bearer ${token}` } };
  const url = new URL("/ws", base);
  return new Promise((done, fail) => {
    const call = (url.protocol === "https:" ? https : http).get(url, options);
    call.on("timeout", () => call.destroy(new Error("no answer for 10 s")));
    call.on("error", fail).on("response", answer => {
      answer.resume();
      fail(new Error(`the socket: ${answer.statusCode}`, { cause: answer.statusCode }));
    });
    call.on("upgrade", (answer, socket, head) => {
      const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      if (answer.headers["sec-websocket-accept"] !== accept) return socket.destroy(), fail(new Error("no WebSocket"));
      done(speak(socket, head, onFrame));
    });
  });
}

/** RFC 6455, as far as a client of text frames needs it. */
function speak(socket, head, onFrame) {
  const [TEXT, CLOSE, PING, PONG] = [1, 8, 9, 10];
  const parts = [];
  let [code, bytes] = [1006, Buffer.alloc(0)];

  const write = (kind, payload) => {
    const { length } = payload;
    if (length > 0xffff) throw new RangeError("nothing larger than 64 KiB may be sent");
    const size = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 255];
    const [header, mask] = [Buffer.from([0x80 | kind, ...size]), randomBytes(4)];
    if (socket.writable) socket.write(Buffer.concat([header, mask, payload.map((byte, i) => byte ^ mask[i % 4])]));
  };

  const take = chunk => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 2) {
      let [length, start] = [bytes[1] & 127, 2];
      if (length >= 126) start = length === 126 ? 4 : 10;
      if (bytes.length < start) return;
      if (length >= 126) length = start === 4 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
      if (bytes.length < start + length) return;
      const [kind, last, payload] = [bytes[0] & 15, bytes[0] & 0x80, bytes.subarray(start, start + length)];
      bytes = bytes.subarray(start + length);
      if (kind === PING) write(PONG, payload);
      if (kind <= TEXT) parts.push(payload); // 0 goes on with the message before it
      if (kind <= TEXT && last) onFrame(JSON.parse(Buffer.concat(parts.splice(0)).toString()));
      if (kind !== CLOSE) continue;
      if (length >= 2) code = payload.readUInt16BE(0);
      write(CLOSE, payload.subarray(0, 2));
      return socket.end();
    }
  };

  const closed = new Promise(done => socket.on("close", () => done(code)));
  socket.setTimeout(0);
  socket.on("error", () => {}).on("data", take);
  if (head.length) setImmediate(() => socket.unshift(head));
  return { closed, send: frame => write(TEXT, Buffer.from(JSON.stringify(frame))), cut: () => socket.destroy() };
}

// ---- The room ------------------------------------------------------------------------------------------------------

function uuid7() {
  const id = randomBytes(16);
  id.writeUIntBE(Date.now(), 0, 6);
  id[6] = 0x70 | (id[6] & 0x0f);
  id[8] = 0x80 | (id[8] & 0x3f);
  return id.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function chainAfter(before, { g, at, by, id, room, kind, target, slot, digest }) {
  const words = [by, id, room, kind, target, slot, digest].map(word => word ?? "-").join(" ");
  return createHash("sha1").update(`${before}\n${g ?? "-"}\n${at ?? "-"}\n${words}`).digest("hex").slice(0, 16);
}

/**
 * Whether a message has the text that its header's digest is of; undefined where no salt comes with it: of texts of
 * formats 1 to 4 and of deleted messages.
 */
function isWhatWasWritten({ header, body, salt, added, stored }) {
  if (salt === undefined && stored === undefined) return undefined;
  const { mentions = {}, ...rest } = added ?? {};
  // JSON.stringify would put handles that are numbers first.
  const named = Object.keys(mentions).sort().map(handle => `"${handle}":"${mentions[handle]}"`);
  const parts = named.length ? [`"mentions":{${named}}`] : [];
  for (const name in rest) parts.push(`"${name}":${JSON.stringify(rest[name])}`);
  const bytes = stored ?? salt + JSON.stringify(body ?? null) + (added ? `\n{${parts}}` : "");
  return createHash("sha256").update(bytes).digest("hex").slice(0, 32) === header.digest;
}

// These outlive a connection.
let token;
let cursor; // the position of the last event that was applied
let tries = 0;
const draft = text === undefined ? undefined : { id: uuid7(), done: false };
const names = new Map(); // account -> name
const lines = []; // what waits for the names of its authors, in the order in which it is printed

async function connection() {
  token ??= await signIn();
  let room, timer, fault, wait; // wait: what the server said about when to come back
  let [reqs, loading, fetching, seen, heard, asking] = [0, 0, 0, 0, Date.now(), false];
  const later = what => setTimeout(what, 1000);
  const stop = why => ((fault ??= new Hopeless(why)), socket.cut());
  const load = () => socket.send({ t: "page", req: (loading = ++reqs), room: room.id, at: "newest", limit: 50 });
  const subscribe = () => socket.send({ t: "subscribe", room: room.id, since: cursor });
  const post = () => draft && !draft.done && socket.send({ t: "post", id: draft.id, room: room.id, text });

  function fill() {
    if (fetching || !cursor || seen <= cursor.seq) return;
    socket.send({ t: "fetch", req: (fetching = ++reqs), room: room.id, after: cursor.seq, to: seen });
  }

  function print() {
    while (lines.length && names.has(lines[0].author)) {
      const { author, ordinal, text, own } = lines.shift();
      console.log(`#${ordinal} ${names.get(author)}: ${text ?? "(deleted)"}`);
      if (own && once) process.stdout.write("", () => process.exit(0)); // when all is out
    }
    if (!lines.length || asking) return;
    asking = true;
    const ids = new Set(lines.map(line => line.author).filter(id => !names.has(id)));
    socket.send({ t: "people", ids: [...ids].slice(0, 100) });
  }

  function again(why) {
    note(why);
    [cursor, seen] = [undefined, 0];
    load();
  }

  function apply(event) {
    const { seq, chain, lane = 0, ordinal, header, body } = event;
    if (!cursor || seq <= cursor.seq) return; // a page is under way, or a double
    seen = Math.max(seen, seq);
    if (seq > cursor.seq + 1) return fill(); // instead of keeping it, this client fetches it with what is before it
    if (chainAfter(cursor.chain, header) !== chain) {
      return once ? stop(`the chain does not agree at ${seq}`) : again("the log was rewritten");
    }
    cursor = { epoch: cursor.epoch, seq, chain };
    if (header.kind === "message" && isWhatWasWritten(event) === false) {
      const why = `the text at ${seq} is not the one that was written`;
      if (once) return stop(why);
      note(why);
    }
    const own = header.id === draft?.id;
    if (own) draft.done = true;
    // A client that keeps rows would apply the acts to them, and show the threads.
    const author = event.for ?? header.by;
    if (header.kind === "message" && lane === 0) lines.push({ author, ordinal, text: body?.text, own });
  }

  const on = {
    welcome({ rooms, heartbeat_ms }) {
      room = rooms.find(({ name }) => name === roomName);
      if (!room?.joined) return stop(room ? `join ${roomName} first` : `there is no room ${roomName}`);
      tries = 0;
      clearTimeout(timer);
      timer = setInterval(() => {
        if (Date.now() - heard > 2 * heartbeat_ms) socket.cut();
        else socket.send({ t: "beat", positions: cursor ? { [room.id]: cursor } : {} });
      }, heartbeat_ms * 0.8);
      cursor ? subscribe() : load();
      print();
    },
    page({ req, page: { rows, as_of } }) {
      if (req !== loading) return;
      cursor = as_of;
      lines.push(...rows);
      print();
      if (once && rows.some(({ id }) => id === draft.id)) return stop("the text came in a page: no chain was seen");
      subscribe();
    },
    subscribed: post,
    reset: ({ why }) => again(`reset: ${why}`),
    left: () => stop(`not in ${roomName}`),
    event: ({ event }) => (apply(event), print()),
    events({ req, events }) {
      if (req !== fetching) return;
      events.forEach(apply);
      fetching = 0;
      if (events.length) fill(); // one answer does not hold more than 500
      print();
    },
    people({ people }) {
      asking = false;
      for (const { id, name } of people) names.set(id, name);
      if (lines.length && !names.has(lines[0].author)) names.set(lines[0].author, lines[0].author);
      print();
    },
    ack({ outcome }) {
      draft.done = true;
      if (outcome.is === "refused") stop(`refused: ${outcome.why}`);
    },
    beat: ({ positions }) => ((seen = Math.max(seen, positions?.[room.id]?.seq ?? 0)), fill()),
    moving: ({ after_ms }) => (wait = after_ms),
    error({ id, req, code, message }) {
      note(`${code}: ${message}`);
      const mayWorkLater = ["throttled", "unavailable", "unknown", "behind"].includes(code);
      asking = false;
      if (req !== undefined && req === fetching) fetching = 0; // the next event or beat asks again
      else if (mayWorkLater) later(id ? post : cursor ? subscribe : load);
      else if (id || !cursor) stop(id ? "nothing was posted" : "the room cannot be loaded");
    },
  };

  const socket = await open(token, frame => {
    heard = Date.now();
    if (Object.hasOwn(on, frame.t) && (frame.room ?? room?.id) === room?.id) on[frame.t](frame);
  });
  socket.send({ t: "hello", version: 1 });
  timer = setTimeout(socket.cut, 10_000);
  const code = await socket.closed;
  clearInterval(timer);
  if (fault) throw fault;
  if (code === 4000 || code === 4002) throw new Hopeless(`closed with ${code}`);
  if (code === 4001) token = undefined;
  if (code === 4011) wait ??= 60_000; // too many sockets: one has to be closed
  note(`the connection ended: ${code}`);
  return wait;
}

for (;;) {
  let wait;
  try {
    wait = await connection();
  } catch (fault) {
    note(fault.message);
    if (fault instanceof Hopeless) process.exit(1);
    if (fault.cause === 401) token = undefined;
  }
  await sleep((wait ?? Math.min(30_000, 500 * 2 ** tries++)) + 500 * Math.random());
}
