/**
 * Keeps other people's addresses out of what is built. The compiler's vendor links pictures of its own CDN and pages of
 * its manual into every build; what is known is taken out, and a build in which any foreign address stays fails.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Plugin } from "vite";

/** What names things and is never asked for: XML namespaces. */
const NAMES = new Set(["www.w3.org"]);
const READABLE = /\.(js|mjs|css|html|json|wxss|qss|wxml|qml|wxs|qs|svg|webmanifest)$/;
const ADDRESS = /(?:https?:|wss?:)?\/\/((?:[a-z0-9-]+\.)+[a-z]{2,})(?::\d+)?(?:\/[^\s"'`)\\<>]*)?/gi;

/** What the vendor puts in, and what stays of it. */
const VENDORS: [RegExp, string][] = [
  [/[^{}]*::?after\s*\{[^{}]*url\([^)]*dcloud\.net\.cn[^)]*\)[^{}]*\}/g, ""],
  [/background-image:\s*url\(["']?https:\/\/[a-z0-9.]*dcloud\.net\.cn[^)]*\);?/g, ""],
  [/https:\/\/vuejs\.org\/error-reference\/#runtime-/g, "vue-error-"],
  [/\[详情\]\(https:\/\/uniapp\.dcloud\.net\.cn[^)]*\)/g, ""],
  [/https:\/\/github\.com\/dcloudio\/uni-app\/issues\//g, "uni-app-issue-"],
  [/https:\/\/(?:doc|uniapp)\.dcloud\.(?:net\.cn|io)[^\s"'`)]*/g, ""],
];

/** Return a text without what the vendor put in. */
export function strip(text: string): string {
  return VENDORS.reduce((left, [found, kept]) => left.replace(found, kept), text);
}

/** Return the foreign addresses in a text; those of `own` hosts are no foreigners. */
export function foreign(text: string, own: readonly string[] = []): string[] {
  const found: string[] = [];
  for (const match of text.matchAll(ADDRESS)) {
    const host = match[1]!.toLowerCase();
    const scheme = match[0].startsWith("//") ? "" : match[0].slice(0, match[0].indexOf(":"));
    if (scheme === "" && !hostLike(text, match.index)) continue;
    if (!NAMES.has(host) && !own.includes(host)) found.push(match[0]);
  }
  return found;
}

/** `//host` without a scheme is an address only as the beginning of a string or of a `url(...)`: else it is a comment. */
function hostLike(text: string, at: number): boolean {
  return /["'`(=]/.test(text[at - 1] ?? "");
}

function* files(folder: string): Generator<string> {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* files(path);
    else if (READABLE.test(name)) yield path;
  }
}

/** The plugin: `own` are the hosts that a build may name, the API's. */
export function plain(own: readonly string[]): Plugin {
  return {
    name: "biandan-plain",
    apply: "build",
    enforce: "post",
    closeBundle: {
      order: "post",
      sequential: true,
      handler() {
        const out = process.env.UNI_OUTPUT_DIR!;
        const left: string[] = [];
        for (const path of files(out)) {
          const was = readFileSync(path, "utf8");
          const is = strip(was);
          if (is !== was) writeFileSync(path, is);
          left.push(...foreign(is, own).map((address) => `${relative(out, path)}: ${address}`));
        }
        if (left.length > 0) throw new Error(`foreign addresses in the build:\n  ${left.join("\n  ")}`);
      },
    },
  };
}

/** Lays the worker that keeps what was seen beside a page's document, where it may answer for the whole app. */
export function worker(path: string): Plugin {
  return {
    name: "biandan-worker",
    apply: "build",
    generateBundle() {
      if (process.env.UNI_PLATFORM === "h5") this.emitFile({ type: "asset", fileName: "offline.js", source: readFileSync(path, "utf8") });
    },
  };
}
