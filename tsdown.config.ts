import { defineConfig } from "tsdown";

export default defineConfig({
  entry: { index: "src/index.ts", node: "src/node.ts", cli: "src/cli/main.ts" },
  format: "esm",
  platform: "neutral",
  fixedExtension: false,
  external: [/^[a-z@]/],
  dts: true,
  logLevel: "error",
  inputOptions: { checks: { pluginTimings: false } },
});
