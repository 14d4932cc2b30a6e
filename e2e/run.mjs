// node e2e/run.mjs [word …]: runs the tests of e2e/*.test.mjs, or those whose "file: name" contains one of the words.
import { readdirSync } from "node:fs";
import { runTests, testsOf } from "./support.mjs";

const folder = new URL("./", import.meta.url);
for (const name of readdirSync(folder).filter(name => name.endsWith(".test.mjs")).sort()) {
  testsOf(name.replace(".test.mjs", ""));
  await import(new URL(name, folder));
}
process.exit(await runTests(process.argv.slice(2)));
