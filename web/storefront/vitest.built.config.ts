import { defineConfig } from "vitest/config";

/** Tests of what was built: `npm run build` first. */
export default defineConfig({ test: { include: ["tests/built/**/*.test.ts"], testTimeout: 20_000 } });
