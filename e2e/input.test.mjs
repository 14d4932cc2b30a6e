// What nobody should send: refused in words, nothing stored, the server stays up, and others notice nothing.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { connect } from "node:net";
import { clientId } from "./room.mjs";
import { live, test, until } from "./support.mjs";

const TEXT = 1, BINARY = 2, CLOSE = 8;

/** A socket that may break every rule. Answers with { status } where the upgrade is refused. */
function openSocket(server, { cookie, origin = server.url, headers = {}, path = "/ws" } = {}) {
  return new Promise((done, fail) => {
    const asked = request(server.url + path, {
      headers: {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": randomBytes(16).toString("base64"),
        ...(origin && { origin }),
        ...(cookie && { cookie }),
        ...headers,
      },
    });
    asked.on("error", fail);
    asked.on("response", response => {
      let text = "";
      response.setEncoding("utf8").on("data", chunk => (text += chunk)).on("end", () => done({ status: response.statusCode, text }));
    });
    asked.on("upgrade", (_, socket, head) => {
      const frames = [];
      const state = { status: 101, frames, closed: undefined, gone: false };
      let rest = Buffer.alloc(0);
      const take = chunk => {
        rest = Buffer.concat([rest, chunk]);
        for (;;) {
          if (rest.length < 2) return;
          let length = rest[1] & 127, at = 2;
          if (length === 126) {
            if (rest.length < 4) return;
            length = rest.readUInt16BE(2);
            at = 4;
          } else if (length === 127) {
            if (rest.length < 10) return;
            length = Number(rest.readBigUInt64BE(2));
            at = 10;
          }
          if (rest.length < at + length) return;
          const kind = rest[0] & 15, body = rest.subarray(at, at + length);
          rest = rest.subarray(at + length);
          if (kind === TEXT) frames.push(JSON.parse(body.toString()));
          if (kind === CLOSE) state.closed = body.length >= 2 ? body.readUInt16BE(0) : 1005;
        }
      };
      take(head);
      socket.on("data", take).on("error", () => (state.gone = true)).on("close", () => (state.gone = true));
      state.raw = bytes => socket.write(bytes);
      state.send = (what, kind = TEXT) => {
        const body = Buffer.isBuffer(what) ? what : Buffer.from(typeof what === "string" ? what : JSON.stringify(what));
        const mask = randomBytes(4);
        let head;
        if (body.length < 126) head = Buffer.from([128 | kind, 128 | body.length]);
        else if (body.length < 65_536) {
          head = Buffer.from([128 | kind, 254, 0, 0]);
          head.writeUInt16BE(body.length, 2);
        } else {
          head = Buffer.from([128 | kind, 255, 0, 0, 0, 0, 0, 0, 0, 0]);
          head.writeBigUInt64BE(BigInt(body.length), 2);
        }
        socket.write(Buffer.concat([head, mask, Buffer.from(body.map((byte, n) => byte ^ mask[n & 3]))]));
      };
      state.end = () => socket.destroy();
      /** Waits for a frame that fits, from the first one not yet taken on. */
      let taken = 0;
      state.next = (fits, what = "a frame") =>
        until(() => {
          for (; taken < frames.length; taken++) if (fits(frames[taken])) return frames[taken++];
          assert(!state.gone, `the socket closed (${state.closed}) before ${what}`);
        }, what);
      state.ended = () => until(() => state.closed ?? (state.gone && "cut"), "the socket closes");
      done(state);
    });
    asked.end();
  });
}

async function greeted(t, server, cookie) {
  const socket = await openSocket(server, { cookie });
  assert.equal(socket.status, 101, socket.text);
  t.defer(() => socket.end());
  socket.send({ t: "hello", version: 1 });
  await socket.next(({ t }) => t === "welcome", "welcome");
  return socket;
}

/** Ada and Bo, General, and a page of Bo that must not notice anything. */
async function scene(t) {
  const server = await t.server();
  const ada = await server.setUp();
  const bo = await server.join(await server.joinPath(ada));
  const page = await t.page(server, "/", { login: bo });
  await live(page);
  await page.locator(".own-state.online").waitFor({ state: "attached" });
  const room = new URL(page.url()).pathname.split("/")[2];
  return { server, ada, bo, page, room };
}

/** Up, well, nothing stored but one message that is sent now, and the other's page got just that one. */
async function undisturbed({ server, ada, page, room }) {
  assert(server.running, server.log.slice(-2000));
  const health = await server.request("/healthz");
  assert.equal(health.status, 200);
  assert.equal(health.text, "ok");
  const posted = await server.request(`/r/${room}/post`, { fields: { text: "Still well", client_id: clientId() }, cookie: ada });
  assert.equal(posted.status, 303);
  await page.locator(".row[data-ordinal]").filter({ hasText: "Still well" }).waitFor();
  assert.deepEqual(await page.locator(".row[data-ordinal] .text").allTextContents(), ["Still well"]);
  assert.equal(await page.locator(".own-state.online").count(), 1);
  assert(!/panicked/i.test(server.log), server.log.slice(-2000));
}

test("texts that cannot be stored, by form and by socket", async t => {
  const now = await scene(t);
  const { server, ada, room } = now;
  const socket = await greeted(t, server, ada);
  const bad = ["", "   ", "\n\n\t\n", "\u200B\u200D\uFEFF", "a\u0000b", "bell \u0007", "\u001B[31mred", "\u0085", "x".repeat(24 * 1024 + 1), "あ".repeat(9000)];
  for (const text of bad) {
    const what = JSON.stringify(text.slice(0, 20));
    const form = await server.request(`/r/${room}/post`, { fields: { text, client_id: clientId() }, cookie: ada });
    assert.equal(form.status, 422, what);
    assert(form.text.includes("Not sent:"), `${what}: the page says that it was not sent`);
    const id = clientId();
    socket.send({ t: "post", id, room, text });
    const answer = await socket.next(frame => frame.id === id, `the answer to ${what}`);
    assert.deepEqual({ t: answer.t, code: answer.code }, { t: "error", code: "unfit" }, what);
    assert(answer.message.length > 10);
  }
  for (const id of ["", "x", "00000000-0000-4000-8000-000000000000", "../../etc", "1".repeat(5000)]) {
    const form = await server.request(`/r/${room}/post`, { fields: { text: "Lost its id", client_id: id }, cookie: ada });
    assert.equal(form.status, 422, id.slice(0, 40));
  }
  const large = await server.request(`/r/${room}/post`, { fields: { text: "x".repeat(1024 * 1024), client_id: clientId() }, cookie: ada });
  assert.equal(large.status, 413);
  await undisturbed(now);
});

test("the same id twice is one message, with another text it is refused", async t => {
  const now = await scene(t);
  const { server, ada, bo, room } = now;
  const socket = await greeted(t, server, ada);
  const id = clientId();
  const fields = { text: "Still well", client_id: id };
  for (let n = 0; n < 3; n++) assert.equal((await server.request(`/r/${room}/post`, { fields, cookie: ada })).status, 303);
  socket.send({ t: "post", id, room, text: "Still well" });
  assert.equal((await socket.next(frame => frame.id === id)).outcome?.is, "stored");
  assert.equal((await server.request(`/r/${room}/post`, { fields: { ...fields, text: "Other" }, cookie: ada })).status, 422);
  assert.equal((await server.request(`/r/${room}/post`, { fields, cookie: bo })).status, 422);
  await now.page.locator(".row[data-ordinal]").first().waitFor();
  assert.deepEqual(await now.page.locator(".row[data-ordinal] .text").allTextContents(), ["Still well"]);
});

test("frames that cannot be read", async t => {
  const now = await scene(t);
  const { server, ada, room } = now;
  const bad = [
    "", "{", "null", "[]", "7", '"post"', "{}", '{"t":7}', '{"t":"post"}',
    { t: "post", id: "x", room, text: "No id" },
    { t: "post", id: clientId(), room: "../General", text: "No room" },
    { t: "post", id: clientId(), room, text: 7 },
    { t: "post", id: clientId(), room, text: null },
    { t: "post", id: clientId(), room, text: { toString: "x" } },
    { t: "post", id: [clientId()], room, text: "A list" },
    { t: "page", req: -1, room, at: "newest", limit: 5 },
    { t: "page", req: 1, room, at: { before: "x" }, limit: 5 },
    { t: "page", req: 1e300, room, at: "newest", limit: 5 },
    { t: "people", ids: "all" },
    { t: "beat", positions: [1, 2, 3] },
    "[".repeat(20_000),
    '{"t":"post","text":"\\ud800"}',
  ];
  for (let from = 0; from < bad.length; from += 8) {
    const socket = await greeted(t, server, ada);
    for (const frame of bad.slice(from, from + 8)) {
      socket.send(frame);
      const answer = await socket.next(({ t }) => t === "error", `the answer to ${JSON.stringify(frame).slice(0, 80)}`);
      assert.equal(answer.code, "bad_frame", JSON.stringify(frame).slice(0, 80));
    }
    socket.end();
  }
  // A few are forgiven, many are not.
  const many = await greeted(t, server, ada);
  for (let n = 0; n < 12; n++) many.send("{");
  assert.equal(await many.ended(), 4000);
  // Kinds of a later version are ignored, and the socket goes on.
  const later = await greeted(t, server, ada);
  later.send({ t: "dance", room, text: "No such kind" });
  later.send({ t: "outcome", id: clientId(), more: [1, { deep: true }] });
  assert.equal((await later.next(({ t }) => t === "error")).code, "not_found");
  // Limits beyond all reason get an answer, not a crash.
  for (const [at, limit] of [["newest", 0], ["newest", 1e15], [{ before: 0 }, 5], [{ after: 2 ** 52 }, 5], [{ around: 2 ** 52 }, 5]]) {
    later.send({ t: "page", req: 9, room, lane: 0, at, limit });
    const answer = await later.next(frame => frame.req === 9, JSON.stringify(at));
    assert(["page", "error"].includes(answer.t));
  }
  later.send('{"t":"page","req":10,"room":"' + room + '","lane":18446744073709551615,"at":{"after":18446744073709551615},"limit":5}');
  await later.next(frame => frame.req === 10);
  later.send('{"t":"fetch","req":11,"room":"' + room + '","after":18446744073709551615,"to":18446744073709551615}');
  await later.next(frame => frame.req === 11);
  later.send({ t: "fetch", req: 12, room, after: 5, to: 1 });
  await later.next(frame => frame.req === 12);
  const other = "bcdfghjklm";
  later.send({ t: "subscribe", room: other });
  assert.equal((await later.next(({ t }) => t === "error")).code, "not_found");
  const id = clientId();
  later.send({ t: "post", id, room: other, text: "Into a room that is not" });
  assert.equal((await later.next(frame => frame.id === id)).code, "not_found");
  for (const [slot, value] of [["text", "x"], ["react::", true], ["../..", true], ["deleted", "yes"], ["", true], ["react:" + "👏".repeat(2000), true]]) {
    const id = clientId();
    later.send({ t: "act", id, room, target: clientId(), slot, value });
    const answer = await later.next(frame => frame.id === id, `the answer to the act ${slot.slice(0, 20)}`);
    assert(answer.t === "error" || answer.outcome.is === "refused", JSON.stringify(answer));
  }
  later.send({ t: "subscribe", room, since: { epoch: "bcdfghjklm", seq: 2 ** 52, chain: "0000000000000000" } });
  await later.next(({ t }) => ["reset", "error", "left"].includes(t));
  later.end();
  await undisturbed(now);
});

test("bytes that are no frames", async t => {
  const now = await scene(t);
  const { server, ada, room } = now;
  const ends = {
    "a binary frame": socket => socket.send(randomBytes(40), BINARY),
    "no UTF-8": socket => socket.send(Buffer.from([0xff, 0xfe, 0x80])),
    "a frame of 1 MB": socket => socket.send({ t: "post", id: clientId(), room, text: "x".repeat(1024 * 1024) }),
    "a length of many exabytes": socket => socket.raw(Buffer.from([0x81, 0xff, 0x7f, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4])),
    "an unmasked frame": socket => socket.raw(Buffer.from([0x81, 2, 0x7b, 0x7d])),
    "reserved bits": socket => socket.raw(Buffer.from([0xf1, 0x80, 1, 2, 3, 4])),
    "noise": socket => socket.raw(Buffer.alloc(3000, 0xee)),
  };
  for (const [what, send] of Object.entries(ends)) {
    const socket = await greeted(t, server, ada);
    send(socket);
    const end = await socket.ended();
    assert([4000, 1002, 1003, 1007, 1009, "cut"].includes(end), `${what}: ${end}`);
    socket.end();
  }
  for (const first of ["{", { t: "post", id: clientId(), room, text: "Before hello" }, { t: "hello" }, { t: "hello", version: "1" }]) {
    const socket = await openSocket(server, { cookie: ada });
    socket.send(first);
    assert.equal(await socket.ended(), 4000, JSON.stringify(first));
    assert.equal(socket.frames.length, 0);
    socket.end();
  }
  const old = await openSocket(server, { cookie: ada });
  old.send({ t: "hello", version: 999 });
  assert.equal(await old.ended(), 4002);
  old.end();
  await undisturbed(now);
});

test("too many frames are throttled, for the sender only", async t => {
  const now = await scene(t);
  const { server, ada } = now;
  const socket = await greeted(t, server, ada);
  await until(() => {
    if (socket.closed || socket.gone) return true;
    for (let n = 0; n < 25; n++) socket.send({ t: "beat", positions: {} });
    return false;
  }, "the socket is closed");
  // What was still under way may cut it before the code is read.
  assert([4009, "cut"].includes(await socket.ended()));
  assert(socket.frames.some(({ code }) => code === "throttled"));
  socket.end();
  await undisturbed(now);
});

test("upgrades and forms from elsewhere, and from nobody", async t => {
  const now = await scene(t);
  const { server, ada, room } = now;
  for (const origin of ["http://evil.example", "null", `${server.url}.evil.example`, "http://127.0.0.1:1", `https:${server.url}`, undefined]) {
    const socket = await openSocket(server, { cookie: ada, origin: origin ?? "" });
    assert.equal(socket.status, 403, `socket from ${origin}`);
    const forms = [`/r/${room}/post`, `/r/${room}/leave`, "/rooms", "/sign-out", "/sign-in", "/setup"];
    for (const path of forms) {
      const fields = { text: "Forged", client_id: clientId(), name: "Forged", topic: "" };
      const answer = await plain(server, path, fields, { cookie: ada, ...(origin && { origin }) });
      assert.equal(answer, 403, `${path} from ${origin}`);
    }
  }
  for (const cookie of [undefined, "beck_login=", "beck_login=x", `beck_login=${"a".repeat(4000)}`, ada.slice(0, -1), `${ada}x`]) {
    assert.equal((await openSocket(server, { cookie })).status, 401, cookie?.slice(0, 30));
    const answer = await server.request(`/r/${room}/post`, { fields: { text: "Nobody", client_id: clientId() }, cookie });
    assert.equal(answer.status, 303);
    assert.equal(answer.location, "/sign-in");
  }
  assert([400, 404, 405, 426].includes((await server.request("/ws", { cookie: ada })).status));
  const again = await server.request("/setup", { fields: { workspace: "Mine", name: "Eve", handle: "eve", password: "0123456789" } });
  assert(again.status === 422 || again.location === "/sign-in", `a second set-up: ${again.status}`);
  assert.equal((await server.request("/rooms", { cookie: ada })).text.includes("Forged"), false);
  await undisturbed(now);
});

/** A form with these headers only; answers with the status. */
function plain(server, path, fields, headers) {
  const body = new URLSearchParams(fields).toString();
  return new Promise((done, fail) => {
    const asked = request(server.url + path, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", "content-length": Buffer.byteLength(body), ...headers },
    });
    asked.on("error", fail).on("response", response => response.resume().on("end", () => done(response.statusCode)));
    asked.end(body);
  });
}

/** Writes bytes to a new connection, and answers with all that came back. */
function bare(server, bytes) {
  return new Promise(done => {
    const socket = connect(server.port, "127.0.0.1");
    let text = "";
    const end = () => {
      socket.destroy();
      done(text);
    };
    socket.setTimeout(15_000, end);
    socket.setEncoding("latin1").on("data", chunk => (text += chunk)).on("error", end).on("close", end);
    socket.write(bytes);
  });
}

test("odd paths, fields and requests", async t => {
  const now = await scene(t);
  const { server, ada, room } = now;
  const paths = [
    "/r/", "/r/x", "/r/bcdfghjklm", `/r/${room}/x`, `/r/${room}/-1`, `/r/${room}/1/2`, "/r/%00", "/r/%ff%fe", "/r/..%2f..%2fetc%2fpasswd",
    `/r/${"x".repeat(5000)}`, "/assets/../../Cargo.toml", "/assets/%2e%2e/%2e%2e/data", "/%2e%2e/data/log", "/wasm/none.wasm", "/.env", "/enter",
  ];
  for (const path of paths) {
    const { status } = await server.request(path, { cookie: ada });
    assert(status >= 400 && status < 500, `${path.slice(0, 60)}: ${status}`);
  }
  for (const path of [`/r/${room}/before/x`, `/r/${room}/before/-1`, `/r/${room}/before/99999999999999999999`, `/r/${room}/after/18446744073709551615`, `/r/${room}?%`, `/r/${room}/18446744073709551615`, `/r/${room}/0`]) {
    const { status } = await server.request(path, { cookie: ada });
    assert(status === 200 || status === 404, `${path}: ${status}`);
  }
  for (const verb of ["post", "join", "leave"]) {
    for (const id of ["x", "bcdfghjklm", "%00"]) {
      const { status } = await server.request(`/r/${id}/${verb}`, { fields: { text: "Nowhere", client_id: clientId() }, cookie: ada });
      assert(status >= 400 && status < 500, `${verb} ${id}: ${status}`);
    }
  }
  for (const method of ["PUT", "DELETE", "PATCH"]) {
    for (const path of ["/rooms", `/r/${room}`, "/healthz", "/"]) {
      const { status } = await server.request(path, { method, cookie: ada });
      assert(status >= 400 && status < 500, `${method} ${path}: ${status}`);
    }
  }
  const post = (body, type) =>
    fetch(`${server.url}/r/${room}/post`, { method: "POST", redirect: "manual", headers: { origin: server.url, cookie: ada, "content-type": type }, body });
  for (const [body, type] of [["{}", "application/json"], ["", "application/x-www-form-urlencoded"], ["%ff=%fe&text=%ff", "application/x-www-form-urlencoded"], ["text", "text/plain"], [randomBytes(2000), "multipart/form-data; boundary=x"]]) {
    const { status } = await post(body, type);
    assert(status >= 400 && status < 500, `${type}: ${status}`);
  }
  for (const [name, topic] of [["", ""], ["  ", ""], ["x".repeat(33), ""], ["Bell\u0007", ""], ["Turned \u202Egnidaer", ""], ["Fine name", "x".repeat(161)], ["general", ""]]) {
    const { status } = await server.request("/rooms", { fields: { name, topic }, cookie: ada });
    assert.equal(status, 422, JSON.stringify(name));
  }
  const join = await server.request("/join/not-a-link", { fields: { name: "Eve Ek", handle: "eve", password: "0123456789" } });
  assert.equal(join.status, 422);
  await undisturbed(now);
});

test("requests that are hardly HTTP", async t => {
  const now = await scene(t);
  const { server } = now;
  const host = `Host: 127.0.0.1:${server.port}\r\n`;
  const requests = {
    "a header of 1 MB": `GET / HTTP/1.1\r\n${host}X-Long: ${"x".repeat(1024 * 1024)}\r\n\r\n`,
    "a thousand headers": `GET / HTTP/1.1\r\n${host}${Array.from({ length: 1000 }, (_, n) => `X-${n}: y\r\n`).join("")}\r\n`,
    "a path of 100 KB": `GET /${"x".repeat(100_000)} HTTP/1.1\r\n${host}Connection: close\r\n\r\n`,
    "noise": randomBytes(3000),
    "two lengths": `POST /sign-in HTTP/1.1\r\n${host}Content-Length: 5\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhandle`,
    "a length that is none": `POST /sign-in HTTP/1.1\r\n${host}Content-Length: many\r\n\r\n`,
    "a body beyond all bounds": `POST /sign-in HTTP/1.1\r\n${host}Origin: ${server.url}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99999999999\r\nConnection: close\r\n\r\nx`,
  };
  for (const [what, bytes] of Object.entries(requests)) {
    const answer = await bare(server, bytes);
    assert(answer === "" || /^HTTP\/1\.[01] 4\d\d /.test(answer), `${what}: ${answer.slice(0, 100)}`);
  }
  await undisturbed(now);
}, { timeout: 180_000 });
