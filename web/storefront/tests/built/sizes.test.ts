import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { foreign } from "../../build/plain";
import { folderOf, TARGETS } from "../support/mini";

const H5 = resolve(import.meta.dirname, "../../dist/h5");
const FIRST_LOAD = 120 * 1024;
const PACKAGE = 2 * 1024 * 1024;

function* files(folder: string): Generator<string> {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* files(path);
    else yield path;
  }
}

/** The scripts that a first visit loads: what the document names, the first page, and what those import at once. */
function firstLoad(): string[] {
  const entry = /src="\.\/(assets\/[^"]+\.js)"/.exec(readFileSync(join(H5, "index.html"), "utf8"))![1]!;
  const home = readdirSync(join(H5, "assets")).find((name) => name.startsWith("pages-home-home"))!;
  const found = new Set<string>();
  const wanted = [join(H5, entry), join(H5, "assets", home)];
  while (wanted.length > 0) {
    const path = wanted.pop()!;
    if (found.has(path)) continue;
    found.add(path);
    for (const [, name] of readFileSync(path, "utf8").matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)) wanted.push(join(H5, "assets", name!));
  }
  return [...found];
}

describe("sizes", () => {
  it("a first visit loads at most 120 KB of scripts", () => {
    const scripts = firstLoad();
    const bytes = scripts.reduce((sum, path) => sum + gzipSync(readFileSync(path)).length, 0);
    console.log(`first load: ${bytes} bytes gzipped in ${scripts.length} scripts`);
    expect(scripts.length).toBeGreaterThan(1);
    expect(bytes).toBeLessThanOrEqual(FIRST_LOAD);
  });

  it.each(TARGETS)("the package of $target is at most 2 MB", (target) => {
    const bytes = [...files(folderOf(target))].reduce((sum, path) => sum + statSync(path).size, 0);
    console.log(`${target.target}: ${bytes} bytes`);
    expect(bytes).toBeLessThanOrEqual(PACKAGE);
  });

  it.each(["h5", "mp-qq", "mp-weixin"])("%s names nobody else", (target) => {
    const texts = [...files(resolve(H5, "..", target))].filter((path) => !path.endsWith(".png"));
    expect(texts.length).toBeGreaterThan(10);
    expect(texts.flatMap((path) => foreign(readFileSync(path, "utf8")))).toEqual([]);
  });
});
