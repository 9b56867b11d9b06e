import uni from "@dcloudio/vite-plugin-uni";
import { defineConfig } from "vite";
import { plain, worker } from "./build/plain";

// The plugin is CommonJS: what is imported is its module.
const plugin = (uni as unknown as { default?: typeof uni }).default ?? uni;

/** Where the API is. A page asks its own origin unless told otherwise; a mini program has no origin and must be told. */
const api = process.env.BIANDAN_API ?? "";

export default defineConfig({
  base: "./",
  plugins: [plugin(), worker("worker/offline.js"), plain(api ? [new URL(api).hostname] : [])],
  define: { __API__: JSON.stringify(api) },
  build: { chunkSizeWarningLimit: 400 },
});
