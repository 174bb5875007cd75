import { defineConfig } from "tsdown";

export default defineConfig({
  entry: {
    index: "src/index.ts",
    onnx: "src/onnx.ts",
    autodiff: "src/autodiff.ts",
    data: "src/data.ts",
    studies: "src/studies.ts",
    distributed: "src/distributed.ts",
    node: "src/node.ts",
    web: "src/web.ts",
    cli: "src/cli/main.ts",
    // Threads start from a file of their own.
    "distributed/node-nats-transport": "src/distributed/node-nats-transport.ts",
    "distributed/node-nats-thread": "src/distributed/node-nats-thread.ts",
  },
  format: "esm",
  // A file each, so that bundlers leave out what a page does not use.
  unbundle: true,
  platform: "neutral",
  fixedExtension: false,
  external: [/^[a-z@]/],
  dts: true,
  logLevel: "error",
  inputOptions: { checks: { pluginTimings: false } },
});
