// A Redis of one test, on a free port, that flushes each write to its disk.

import { spawn } from "node:child_process";
import { cpSync, existsSync, readdirSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort, temporaryFolder } from "./support.mjs";

/** Named by the environment, on the path, or where script/setup puts it. */
function program() {
  if (process.env.BECK_REDIS_SERVER) return process.env.BECK_REDIS_SERVER;
  const tools = join(homedir(), ".cache/beck");
  const own = existsSync(tools) ? readdirSync(tools).map(name => join(tools, name, "bin")) : [];
  const found = [...(process.env.PATH ?? "").split(delimiter), ...own].map(folder => join(folder, "redis-server")).find(existsSync);
  if (!found) throw new Error("There is no redis-server: run script/setup stores, or name one in BECK_REDIS_SERVER.");
  return found;
}

export class Store {
  folder = temporaryFolder();
  #child;

  static async start(t) {
    const store = new Store();
    store.port = await freePort();
    t.defer(() => store.kill());
    await store.launch();
    return store;
  }

  get url() {
    return `redis://127.0.0.1:${this.port}`;
  }

  async launch() {
    const own = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.folder, "--save", ""];
    this.#child = spawn(program(), [...own, "--appendonly", "yes", "--appendfsync", "always"], { stdio: "ignore" });
    process.once("exit", () => this.#child.kill("SIGKILL"));
    this.#child.gone = new Promise(done => this.#child.once("close", done).once("error", done));
    const end = Date.now() + 20_000;
    while (!(await this.#answers())) {
      if (Date.now() > end) throw new Error("the store does not start");
      await sleep(20);
    }
  }

  #answers() {
    return new Promise(done => {
      const socket = createConnection(this.port, "127.0.0.1", () => socket.write("PING\r\n"));
      socket.once("data", data => done(data.toString().startsWith("+PONG"), socket.destroy())).once("error", () => done(false));
    });
  }

  /** SIGKILL. */
  async kill() {
    this.#child?.kill("SIGKILL");
    await this.#child?.gone;
  }

  /** What is on its disk now; takes the place of what is there later. */
  copy() {
    const kept = join(temporaryFolder(), "appendonlydir");
    cpSync(join(this.folder, "appendonlydir"), kept, { recursive: true });
    return kept;
  }

  restore(kept) {
    const own = join(this.folder, "appendonlydir");
    rmSync(own, { recursive: true });
    cpSync(kept, own, { recursive: true });
  }
}
