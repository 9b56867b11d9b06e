/// <reference types="vitest/config" />
import { fileURLToPath } from "node:url";

import vue from "@vitejs/plugin-vue";
import { ElementPlusResolver } from "unplugin-vue-components/resolvers";
import Components from "unplugin-vue-components/vite";
import { defineConfig } from "vite";

// Where `npm run dev` finds the API: the dev server's address.
const api = process.env.BIANDAN_API ?? "http://127.0.0.1:8000";

const proxy = Object.fromEntries(["/v1", "/_dev"].map((path) => [path, { target: api, changeOrigin: true }]));

// As strict as where it is served for good: nothing inline, nothing from elsewhere but goods' pictures.
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' https: data:; connect-src 'self'; " +
  "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

export default defineConfig({
  // Addresses relative to the page: the console lies in whatever folder it is served from.
  base: "./",
  plugins: [vue(), Components({ dts: false, dirs: [], resolvers: [ElementPlusResolver({ importStyle: "css" })] })],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  server: { host: "127.0.0.1", proxy },
  preview: { host: "127.0.0.1", proxy, headers: { "Content-Security-Policy": POLICY } },
  build: {
    target: "es2022",
    // No inlined picture or font: the page's policy lets none in, and each is kept by its content's name.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 700,
  },
  test: {
    environment: "jsdom",
    include: ["tests/**/*.test.ts"],
    server: { deps: { inline: ["element-plus"] } },
    css: false,
  },
});
