import tseslint from "typescript-eslint";

/** What mini programs lack: the code that ships there as well must do without. */
const LACKING = ["AbortController", "AbortSignal", "Blob", "FormData", "Headers", "Intl", "Request", "Response", "TextDecoder", "TextEncoder", "URL", "URLSearchParams", "document", "structuredClone", "window"];

export default tseslint.config(
  { ignores: ["src/generated/**", "node_modules/**"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ["eslint.config.js", "vitest.config.ts", "scripts/*.mjs"] }, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-dynamic-delete": "off",
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
    },
  },
  { files: ["**/*.js", "**/*.mjs"], ...tseslint.configs.disableTypeChecked },
  {
    files: ["src/**"],
    rules: {
      "no-restricted-globals": ["error", ...LACKING],
      "no-restricted-properties": ["error", { object: "crypto", property: "randomUUID", message: "only in secure contexts, and never in a mini program" }],
      "no-restricted-syntax": ["error", { selector: "CallExpression[callee.property.name=/^toLocale/]", message: "differs by machine" }],
    },
  },
);
