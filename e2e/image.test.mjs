// The container image without a container engine: each step of the Dockerfile is run as a command, the last stage in a
// folder that becomes the root of the processes, with the rights and the read-only files that the image has.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, statSync, symlinkSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { FIRST, Server, freePort, root, temporaryFolder, test, until } from "./support.mjs";

/** [{ from, steps: [{ word, flags, text }] }], one for each stage. */
function stagesOf(dockerfile) {
  const stages = [];
  const lines = dockerfile.replace(/^#.*\n/gm, "").replace(/\\\n\s*/g, "").split("\n");
  for (const line of lines.map(line => line.trim()).filter(Boolean)) {
    const [, word, flags, text] = line.match(/^([A-Z]+)((?:\s+--\S+)*)\s+(.*)$/);
    if (word === "FROM") stages.push({ from: text, steps: [] });
    else stages.at(-1).steps.push({ word, flags: flags.trim().split(/\s+/), text });
  }
  return stages;
}

const [build, last] = stagesOf(readFileSync(join(root, "Dockerfile"), "utf8"));
const runs = stage => stage.steps.filter(step => step.word === "RUN").map(step => step.text);

function run(program, words, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, words, { encoding: "utf8", ...options });
  return { status, text: `${error ?? ""}${stdout}${stderr}` };
}

function must(what, { status, text }) {
  assert.equal(status, 0, `${what} ended with ${status}:\n${text.slice(-4000)}`);
  return text;
}

/** Where script/setup puts what it fetches. */
const tools = must("lib.sh", run("bash", ["-c", '. script/lib.sh; printf %s "$tools"'], { cwd: root }));
const path = `${join(tools, "bin")}${delimiter}${process.env.PATH}`;

test("the linter finds nothing in the Dockerfile", async () => {
  must("hadolint", run("hadolint", ["Dockerfile"], { cwd: root, env: { ...process.env, PATH: path } }));
});

test("the builder gets what the bundle is made from, by name, and nothing else", async () => {
  const [all, ...names] = readFileSync(join(root, ".dockerignore"), "utf8").split("\n").filter(line => line && !line.startsWith("#"));
  assert.equal(all, "*");
  const [, listed] = readFileSync(join(root, "script/bundle"), "utf8").match(/for path in (.+); do/);
  const made = listed.split(" ").filter(name => existsSync(join(root, name))).map(name => name.replace(/^script\/.*/, "script"));
  assert.deepEqual(names, made.map(name => `!${name}`).sort());
});

test("the layer of the tools needs no file but those that are copied before it", async () => {
  const at = build.steps.findIndex(step => step.word === "RUN");
  const layer = build.steps[at].text.replaceAll("/tools/bin", join(tools, "bin"));
  const [folder, home] = [temporaryFolder(), temporaryFolder()];
  for (const { word, text } of build.steps.slice(0, at).filter(step => step.word === "COPY" && !step.text.startsWith("/"))) {
    const [...names] = text.split(/\s+/);
    const to = names.pop();
    for (const name of names) cpSync(join(root, name), join(folder, to, name.split("/").at(-1)), { recursive: true });
    assert.equal(word, "COPY");
  }
  // Nothing is missing here, so that it has nothing to fetch; what it reads, it reads from that folder.
  const { CARGO_HOME = join(process.env.HOME, ".cargo"), RUSTUP_HOME = join(process.env.HOME, ".rustup") } = process.env;
  const env = { ...process.env, CARGO_HOME, RUSTUP_HOME, HOME: home, BECK_TOOLS: tools };
  for (let times = 0; times < 2; times++) assert.match(must(layer, run("bash", ["-c", layer], { cwd: folder, env })), /nothing is missing/);
  // The next such layer, which begins with no tools, does not build again what still fits.
  const [before] = readdirSync(join(home, ".cache/beck"));
  assert(/^tools-/.test(before) && existsSync(join(home, ".cache/beck", before, "bin/dx")), before);
  const next = temporaryFolder();
  for (const name of ["bin", "binaryen"]) cpSync(join(tools, name), join(next, name), { recursive: true, filter: from => !from.endsWith("/bin/dx") });
  const said = must("script/setup", run(join(folder, "script/setup"), ["serve"], { cwd: folder, env: { ...env, BECK_TOOLS: next } }));
  assert(said.includes(`taking a copy of ${home}/.cache/beck/tools-`), said);
  assert(existsSync(join(next, "bin/dx")));
});

/** The image's root below a folder, what its processes get, and how they are run. */
class Image {
  env = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" };

  constructor(bundle) {
    this.root = join(temporaryFolder(), "root");
    // The system's own files stand for those of the base image.
    for (const folder of ["usr", "etc", "proc", "dev", "opt"]) mkdirSync(join(this.root, folder), { recursive: true });
    for (const name of ["bin", "sbin", "lib", "lib64"]) symlinkSync(`usr/${name}`, join(this.root, name));
    for (const { word, flags, text } of last.steps) this.step(word, flags, text, bundle);
  }

  step(word, flags, text, bundle) {
    const value = text.replace(/\$(\w+)/g, (_, name) => this.env[name] ?? "");
    switch (word) {
      case "RUN":
        return must(text, run("bwrap", [...this.mounts({ readOnly: false }), "sh", "-c", text]));
      case "COPY": {
        assert.deepEqual(flags, ["--from=build"]);
        const [from, to] = text.split(/\s+/);
        if (to.startsWith("/etc/")) return; // the system's own
        mkdirSync(dirname(join(this.root, to)), { recursive: true });
        return cpSync(from === "/beck" ? bundle : from, join(this.root, to), { recursive: true });
      }
      case "ENV":
        for (const [, name, set] of value.matchAll(/(\w+)=(\S+)/g)) this.env[name] = set;
        return;
      case "USER":
        return (this.user = value.split(":"));
      case "WORKDIR":
        return (this.folder = value);
      case "HEALTHCHECK":
        return (this.health = JSON.parse(text.replace(/^.*?CMD /, "")));
      case "ENTRYPOINT":
        return (this.entry = JSON.parse(text));
      case "CMD":
        return (this.words = JSON.parse(text));
      case "VOLUME":
        return (this.volume = value);
      case "EXPOSE":
        return;
      default:
        throw new Error(`The Dockerfile has a step ${word} that this test does not know`);
    }
  }

  mounts({ readOnly }) {
    const system = ["/usr", "/etc"].flatMap(folder => ["--ro-bind", folder, folder]);
    const volume = readOnly ? ["--bind", join(this.root, this.volume), this.volume, "--remount-ro", "/"] : [];
    return ["--bind", this.root, "/", ...system, "--proc", "/proc", "--dev", "/dev", ...volume, "--cap-add", "ALL", "--die-with-parent"];
  }

  /** The words of a command in a container that can write nowhere but into its volume. */
  command(words, env = {}) {
    const [user, group] = this.user;
    const set = Object.entries({ ...this.env, ...env }).flatMap(([name, value]) => ["--setenv", name, value]);
    const as = ["setpriv", "--reuid", user, "--regid", group, "--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"];
    return [...this.mounts({ readOnly: true }), "--clearenv", ...set, "--chdir", this.folder, ...as, ...words];
  }
}

test(
  "the image serves as its user, with nothing to write to but its volume",
  async t => {
    if (process.platform !== "linux" || process.getuid() !== 0) {
      console.log("    (not run: it takes root on Linux to run the image's steps as they are)");
      return;
    }
    const folder = temporaryFolder();
    const layer = runs(build).at(-1).replaceAll("/target/image", join(folder, "image")).replaceAll(" /beck", ` ${join(folder, "beck")}`);
    must(layer, run("bash", ["-c", layer], { cwd: root }));
    const image = new Image(join(folder, "beck"));
    const [user] = image.user.map(Number);
    assert.notEqual(user, 0);
    assert.equal(statSync(join(image.root, "data")).uid, user);

    const port = await freePort();
    const env = { PORT: String(port), LOG: "trace" };
    const inside = words => run("bwrap", image.command(words, env));
    /** Whom a folder or file of the volume must belong to, as each of these commands has to say when it does not. */
    const foreign = (path, mode, commands) => {
      const { uid, gid, mode: before } = statSync(path);
      chownSync(path, 0, 0);
      chmodSync(path, mode);
      for (const words of commands) {
        const { status, text } = inside([...image.entry, ...words]);
        assert.equal(status === 0, false, words);
        assert.match(text, new RegExp(`It must belong to user ${user}, as whom Beck runs: chown -R ${user}:`), `${words}: ${text}`);
      }
      chownSync(path, uid, gid);
      chmodSync(path, before);
    };
    const data = join(image.root, "data");
    foreign(data, 0o700, [["serve"], ["doctor"], ["admin", "list"]]);
    foreign(data, 0o755, [["serve"], ["doctor"], ["demo"]]);
    assert.notEqual(inside(["sh", "-c", "touch /opt/beck/there"]).status, 0, "the files of the image can be written");
    assert.notEqual(inside(["sh", "-c", "touch /there"]).status, 0, "the root of the image can be written");
    must("touch", inside(["sh", "-c", "touch /data/there && rm /data/there"]));
    assert.equal(must("id", inside(["id", "-u"])).trim(), String(user));
    assert.notEqual(inside(image.health).status, 0, "it is well although nothing runs");

    const start = async () => {
      const child = spawn("bwrap", ["--json-status-fd", "3", ...image.command([...image.entry, ...image.words], env)], { stdio: ["ignore", "pipe", "pipe", "pipe"] });
      t.defer(() => child.kill("SIGKILL"));
      let [said, status] = ["", ""];
      for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", chunk => (said += chunk));
      child.stdio[3].setEncoding("utf8").on("data", chunk => (status += chunk));
      const ended = new Promise(done => child.once("close", done));
      await until(() => said.includes("Beck is ready") || child.exitCode !== null, "the image is ready");
      assert(said.includes("Beck is ready"), said);
      assert(!said.includes("reach it here"), "it says an address of the container, which nobody outside reaches");
      const stop = async () => {
        process.kill(JSON.parse(status.split("\n")[0])["child-pid"], "SIGTERM");
        assert.equal(await ended, 0, said);
        assert(!said.includes("\x1b"), "colours among the lines that a container keeps");
      };
      return { said: () => said, stop };
    };
    let beck = await start();
    const server = Object.assign(new Server({ data: join(image.root, "data") }), { port });
    t.defer(() => server.close());
    await server.setUp({ code: beck.said().match(/one-time code: (\w+)/)[1] });
    const page = await server.request("/sign-in");
    const assets = [...page.text.matchAll(/"(?:\/\.)?(\/assets\/[^"]+)"/g)].map(([, name]) => name);
    assert(assets.length > 5, page.text);
    for (const name of assets) assert.equal((await server.request(name)).status, 200, name);
    must("health", inside(image.health));
    must("backup", inside([...image.entry, "backup", "/data/one.jsonl"]));
    await beck.stop();
    assert.match(beck.said(), /TRACE/);
    foreign(join(data, "lock"), 0o600, [["serve"], ["doctor"]]);
    foreign(join(data, "one.jsonl"), 0o600, [["restore", "/data/one.jsonl"]]);

    assert.deepEqual(readdirSync(join(image.root, "opt/beck")).sort(), ["assets.txt", "beck", "public"]);
    beck = await start();
    await server.signIn(FIRST);
    await beck.stop();
    for (const name of ["log.sqlite", "one.jsonl"]) assert(existsSync(join(image.root, "data", name)), name);
  },
  { timeout: 240_000 },
);
