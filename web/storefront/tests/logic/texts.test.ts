import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { en } from "../../src/texts/en";
import { fill, fitting, said, setLocale, t } from "../../src/texts/locale";
import { zh } from "../../src/texts/zh";

const names = (text: string): string[] => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1]!).sort();

function* sources(folder: string): Generator<string> {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) yield* sources(path);
    else if (/\.(vue|ts)$/.test(name)) yield path;
  }
}

describe("texts", () => {
  it("are there in both languages, with the same names to fill in", () => {
    expect(Object.keys(en).sort()).toEqual(Object.keys(zh).sort());
    for (const [key, text] of Object.entries(zh)) {
      const other = en[key as keyof typeof zh];
      expect(text.trim(), key).not.toBe("");
      expect(other.trim(), key).not.toBe("");
      expect(names(other), key).toEqual(names(text));
    }
  });

  it("are all used: each is named somewhere, whole or by the part before a value", () => {
    const code = [...sources("src")].filter((path) => !path.includes("/texts/")).map((path) => readFileSync(path, "utf8")).join("\n");
    const built = [...code.matchAll(/t\(`([a-z_.]+)\$\{/g)].map((found) => found[1]!);
    const unused = Object.keys(zh).filter((key) => !code.includes(`"${key}"`) && !code.includes(`'${key}'`) && !built.some((part) => key.startsWith(part)));
    expect(unused).toEqual([]);
  });

  it("stand nowhere else: no page has words of its own", () => {
    const foreign = [...sources("src")]
      .filter((path) => !path.includes("/texts/"))
      .flatMap((path) => readFileSync(path, "utf8").split("\n").map((line) => `${path}: ${line.trim()}`))
      .filter((line) => /[\u4e00-\u9fff]/.test(line) && !/中文/.test(line));
    expect(foreign).toEqual([]);
  });

  it("follow the language that was chosen, and Chinese where a device has another", () => {
    expect([fitting("en-GB"), fitting("fr"), fitting(undefined), fitting("zh-Hant")]).toEqual(["en", "zh-Hans", "zh-Hans", "zh-Hans"]);
    setLocale("en");
    expect(t("pay.go", { amount: "¥1.00" })).toBe("Pay ¥1.00");
    expect(said({ zh: "茶", en: null })).toBe("茶");
    setLocale("zh-Hans");
    expect(said({ zh: "茶", en: "Tea" })).toBe("茶");
    expect(fill("{a} {b}", { a: 1 })).toBe("1 {b}");
  });
});
