/** Runs uni-app's compiler for some targets, each into a folder of its own: `node build/run.mjs build h5 mp-qq`. */
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const compiler = join(dirname(createRequire(import.meta.url).resolve("@dcloudio/vite-plugin-uni/package.json")), "bin/uni.js");
const [command, ...targets] = process.argv.slice(2);

for (const target of targets) {
  const out = join(here, "dist", target);
  if (command === "build") rmSync(out, { recursive: true, force: true });
  const words = command === "build" ? ["build", "-p", target] : ["-p", target];
  const env = { ...process.env, UNI_OUTPUT_DIR: out, UNI_INPUT_DIR: join(here, "src") };
  const done = spawnSync(process.execPath, [compiler, ...words], { cwd: here, env, stdio: "inherit" });
  if (done.status !== 0) process.exit(done.status ?? 1);
}
