// A way to a server on which goes wrong what goes wrong between two machines. Every fault is counted, so that a test
// can tell that it happened; and what was said over each WebSocket is kept.
//
//   const way = await t.proxy(server);                   // closed at the end of the test
//   const page = await t.page(way, "/", { login });      // `way.url` stands for the server's
//   way.cut();                                           // every connection, at once; new ones are refused
//   way.mend();
//   assert(way.counts.cut > 0);

import { createConnection, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** Reads the text frames out of a WebSocket's bytes, masked or not, whole or in pieces, cut anywhere. */
export function textFrames() {
  let rest = Buffer.alloc(0);
  let parts = [];
  let text = false;
  return bytes => {
    const found = [];
    rest = Buffer.concat([rest, bytes]);
    for (;;) {
      if (rest.length < 2) return found;
      const masked = (rest[1] & 128) !== 0;
      let length = rest[1] & 127;
      let at = 2;
      if (length === 126) at = 4;
      if (length === 127) at = 10;
      if (rest.length < at + (masked ? 4 : 0)) return found;
      if (length === 126) length = rest.readUInt16BE(2);
      if (length === 127) length = Number(rest.readBigUInt64BE(2));
      const mask = masked ? rest.subarray(at, (at += 4)) : undefined;
      if (rest.length < at + length) return found;
      const [last, kind] = [(rest[0] & 128) !== 0, rest[0] & 15];
      const sent = rest.subarray(at, at + length);
      const body = mask ? Buffer.from(sent.map((byte, n) => byte ^ mask[n & 3])) : Buffer.from(sent);
      rest = rest.subarray(at + length);
      // Pings, pongs and closes may stand between the pieces of a text.
      if (kind >= 8) continue;
      if (kind > 0) [parts, text] = [[], kind === 1];
      parts.push(body);
      if (last && text) found.push(Buffer.concat(parts).toString());
    }
  };
}

/** One direction of a connection: what came goes on in order, when and as finely as the way lets it. */
class Lane {
  queue = [];
  busy = false;

  constructor(pair, from, to) {
    this.pair = pair;
    this.to = to;
    from.on("data", bytes => pair.heed(this, bytes) && this.put({ bytes }));
    from.on("end", () => this.put({ end: true }));
  }

  put(what) {
    this.queue.push({ ...what, due: Date.now() + this.pair.way.late });
    if (!this.busy) this.run();
  }

  async run() {
    this.busy = true;
    while (this.queue.length && !this.pair.gone) {
      const { bytes, end, due } = this.queue[0];
      if (due > Date.now()) {
        this.pair.way.counts.delayed += bytes?.length ?? 0;
        await sleep(due - Date.now());
      }
      while (this.pair.thaw) await this.pair.thaw.promise;
      if (this.pair.gone) return;
      this.queue.shift();
      if (end) this.to.end();
      else if (this.pair.way.dripping) await this.drip(bytes);
      else this.to.write(bytes);
    }
    this.busy = false;
  }

  async drip(bytes) {
    for (const byte of bytes) {
      if (this.pair.gone) return;
      while (this.pair.thaw) await this.pair.thaw.promise;
      this.pair.way.counts.dripped += 1;
      await new Promise(done => this.to.write(Buffer.of(byte), done));
    }
  }
}

/** A connection from outside, and the one to the server that belongs to it. */
class Pair {
  gone = false;
  /** While frozen: { promise, go }. */
  thaw = undefined;
  /** Once it is a WebSocket: { sent, received }, the text frames of both sides. */
  socket = undefined;

  constructor(way, outer) {
    this.way = way;
    this.outer = outer;
    this.inner = createConnection({ port: way.server.port, host: "127.0.0.1", allowHalfOpen: true });
    this.heard = Date.now();
    this.head = { in: Buffer.alloc(0), out: Buffer.alloc(0) };
    for (const socket of [this.outer, this.inner]) {
      socket.setNoDelay(true).on("error", () => {}).on("close", () => this.closed(socket));
    }
    this.inner.once("error", () => (way.counts.refused += 1));
    this.up = new Lane(this, this.outer, this.inner);
    this.down = new Lane(this, this.inner, this.outer);
    if (way.state === "frozen") this.freeze();
  }

  freeze() {
    if (this.thaw) return;
    let go;
    this.thaw = { promise: new Promise(done => (go = done)) };
    this.thaw.go = go;
    this.way.counts.frozen += 1;
    for (const socket of [this.outer, this.inner]) socket.pause();
  }

  melt() {
    const { thaw } = this;
    this.thaw = undefined;
    thaw?.go();
    for (const socket of [this.outer, this.inner]) socket.resume();
  }

  destroy() {
    this.gone = true;
    this.way.pairs.delete(this);
    this.outer.destroy();
    this.inner.destroy();
    this.thaw?.go();
    this.thaw = undefined;
  }

  /** One side is gone for good; the other still gets what is under way to it. */
  closed(socket) {
    const lane = socket === this.outer ? this.up : this.down;
    const left = lane.queue.length > 0 || lane.busy;
    if (this.gone) return;
    if (left && !socket.errored && !lane.to.destroyed) lane.put({ end: true });
    else this.destroy();
  }

  /** Looks at what comes; `false` if it must not go on. */
  heed(lane, bytes) {
    this.heard = Date.now();
    const inwards = lane === this.up;
    if (!this.socket) {
      const side = inwards ? "in" : "out";
      if (this.head[side] === undefined) return true;
      const head = (this.head[side] = Buffer.concat([this.head[side], bytes]));
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) return true;
      const text = head.subarray(0, end).toString("latin1");
      this.head[side] = undefined;
      if (inwards) {
        this.upgrades = /^upgrade: *websocket/im.test(text);
        if (this.upgrades && this.way.state === "without sockets") {
          this.way.counts.cut += 1;
          this.destroy();
          return false;
        }
        return true;
      }
      if (!this.upgrades || !text.startsWith("HTTP/1.1 101")) return true;
      this.socket = { sent: [], received: [] };
      this.readers = { sent: textFrames(), received: textFrames() };
      this.way.sockets.push(this.socket);
      bytes = head.subarray(end + 4);
    }
    const side = inwards ? "sent" : "received";
    const frames = this.readers[side](bytes).map(text => JSON.parse(text));
    this.socket[side].push(...frames);
    const { drops } = this.way;
    if (inwards || drops.left === 0 || !bytes.length || !drops.fits(frames)) return true;
    drops.left -= 1;
    this.way.counts.dropped += 1;
    this.destroy();
    return false;
  }
}

class Way {
  pairs = new Set();
  /** whole, cut, frozen, or without sockets. */
  state = "whole";
  late = 0;
  dripping = false;
  drops = { left: 0, fits: () => true };
  /** Connections that were cut, frozen, closed for idleness, found no server, or lost a reply; bytes that dripped or came late. */
  counts = { cut: 0, frozen: 0, idle: 0, refused: 0, dropped: 0, dripped: 0, delayed: 0 };
  /** Each WebSocket so far, oldest first: { sent, received }, frames as JSON. */
  sockets = [];

  constructor(server) {
    this.server = server;
    this.listener = createServer({ allowHalfOpen: true }, outer => {
      if (this.state !== "cut") return this.pairs.add(new Pair(this, outer));
      this.counts.cut += 1;
      outer.on("error", () => {}).destroy();
    });
  }

  async open() {
    this.listener.listen(0, "127.0.0.1");
    await new Promise((done, fail) => this.listener.once("listening", done).once("error", fail));
    this.port = this.listener.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
    return this;
  }

  #end(pairs, what) {
    this.counts[what] += pairs.length;
    for (const pair of pairs) pair.destroy();
  }

  /** Every connection ends at once, and new ones are refused. */
  cut() {
    this.state = "cut";
    this.#end([...this.pairs], "cut");
  }

  /** Pages go through, WebSockets do not: a proxy that knows no upgrade. */
  cutSockets() {
    this.state = "without sockets";
    this.#end([...this.pairs].filter(pair => pair.socket || pair.upgrades), "cut");
  }

  /** Nothing arrives and nothing closes; new connections are taken, and stay silent. */
  freeze() {
    this.state = "frozen";
    for (const pair of this.pairs) pair.freeze();
  }

  /** New connections are whole, and what was frozen goes on as if nothing had been. */
  mend() {
    this.state = "whole";
    for (const pair of this.pairs) pair.melt();
  }

  /** New connections are whole, but nobody ever hears from the frozen ones again: another network. */
  forsake() {
    this.state = "whole";
  }

  /** Everything takes so long, each way. */
  delay(ms) {
    this.late = ms;
  }

  /** Everything goes in writes of one byte. */
  drip() {
    this.dripping = true;
  }

  /** Ends WebSockets that carried no byte for so long. */
  idleCut(ms) {
    clearInterval(this.watch);
    const idle = () => [...this.pairs].filter(pair => pair.socket && !pair.thaw && Date.now() - pair.heard >= ms);
    this.watch = setInterval(() => this.#end(idle(), "idle"), Math.ceil(ms / 10));
    this.watch.unref();
  }

  /** The next `n` times that a WebSocket brings frames that fit, they are swallowed and it ends: the reply is lost. */
  dropReplies(n, fits = () => true) {
    this.drops = { left: n, fits };
  }

  close() {
    clearInterval(this.watch);
    this.cut();
    return new Promise(done => this.listener.close(done));
  }
}

export function cuttingProxy(server) {
  return new Way(server).open();
}
