import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, it } from "vitest";

import { texts } from "@/i18n";
import { MENU } from "@/menu";

const CHINESE = /[\u4e00-\u9fff]/;
const names = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1] ?? "").sort();

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "i18n" || entry.name === "generated" ? [] : sources(path);
    return /\.(vue|ts)$/.test(entry.name) ? [readFileSync(path, "utf8")] : [];
  });
}

const written = sources(join(import.meta.dirname, "../src")).join("\n");

describe("texts", () => {
  it("stand in both languages, with the same blanks", () => {
    for (const [key, [zh, en]] of Object.entries(texts)) {
      expect(zh.trim(), key).not.toBe("");
      expect(en.trim(), key).not.toBe("");
      expect(names(zh), key).toEqual(names(en));
      if (key !== "app.language") expect(CHINESE.test(en), `${key} in English`).toBe(false);
      expect(/[|@]/.test(zh + en), `${key} holds a sign that has a meaning to vue-i18n`).toBe(false);
    }
  });

  it("are there for every key that a page names", () => {
    const asked = [...written.matchAll(/(?:\$t|\bt|\bsay)\(\s*["']([\w.-]+)["']/g)].map((found) => found[1] ?? "");
    expect(asked.length).toBeGreaterThan(100);
    expect(asked.filter((key) => !(key in texts))).toEqual([]);
  });

  it("are there for every line of the menu", () => {
    const keys = MENU.flatMap((group) => [group.text, ...group.places.map((place) => place.text)]);
    expect(keys.filter((key) => !(key in texts))).toEqual([]);
  });

  it("are all used", () => {
    const stems = [...written.matchAll(/[`"']([a-z_]+(?:\.[a-z_]+)*\.)\$\{/g)].map((found) => found[1] ?? "");
    const unused = Object.keys(texts).filter(
      (key) => !written.includes(`"${key}"`) && !written.includes(`'${key}'`) && !stems.some((stem) => key.startsWith(stem)),
    );
    expect(unused).toEqual([]);
  });

  it("stand nowhere else: no page writes Chinese of its own", () => {
    const without = written.replace(/\/\*[\s\S]*?\*\//g, "").replace(/中文/g, "");
    expect(without.match(/[\u4e00-\u9fff]+/g) ?? []).toEqual([]);
  });
});
