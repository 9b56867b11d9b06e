import { defineConfig } from "vitest/config";

// What stands in tests/*.test-d.ts is about types alone: `npm run check` reads it.
export default defineConfig({ test: { include: ["tests/**/*.test.ts"] } });
