import { defineConfig, type Plugin } from "vitest/config";

/** What the compiler does with `#ifdef`: tests of logic read the code as a page's build does. */
function asPage(): Plugin {
  return {
    name: "as-page",
    enforce: "pre",
    transform(code, id) {
      if (!id.includes("/src/") || !code.includes("#if")) return null;
      const kept: boolean[] = [];
      const lines = code.split("\n").map((line) => {
        const begins = /^\s*\/\/ #(ifdef|ifndef) (.+)$/.exec(line);
        if (begins) kept.push(begins[2]!.split("||").map((each) => each.trim()).includes("H5") === (begins[1] === "ifdef"));
        else if (/^\s*\/\/ #endif/.test(line)) kept.pop();
        else if (kept.includes(false)) return "";
        return line;
      });
      return { code: lines.join("\n"), map: null };
    },
  };
}

export default defineConfig({
  plugins: [asPage()],
  define: { __API__: JSON.stringify("") },
  test: { include: ["tests/logic/**/*.test.ts"], setupFiles: ["tests/support/uni.ts"] },
});
