import { existsSync } from "node:fs";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { nodeEstimates } from "./test/web/node-estimates.ts";

/** Debian's Chromium. Tests of pages are left out where there is none. */
const chromium = "/usr/bin/chromium";
if (!existsSync(chromium))
  console.warn(`Tests in a page are skipped: there is no ${chromium} (apt-get install chromium).`);

// Generous, because child processes on a busy machine take several times as long.
const timeouts = { testTimeout: 300_000, hookTimeout: 120_000, expect: { poll: { timeout: 30_000 } } };

const node = {
  test: {
    name: "node",
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["test/web/**"],
    ...timeouts,
  },
};

const web = {
  // The engine finds its WebAssembly files beside its own module.
  optimizeDeps: {
    exclude: ["onnxruntime-web"],
    // Found before the tests begin, or the page reloads while they run.
    include: [
      "@bufbuild/protobuf",
      "@nats-io/jetstream",
      "@nats-io/nats-core",
      "fflate",
      "onnx-buf",
      "zod/mini",
    ],
  },
  // An isolated page: threads share memory there.
  server: {
    headers: {
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    },
  },
  test: {
    name: "web",
    include: ["test/web/**/*.test.ts"],
    ...timeouts,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      connectTimeout: 300_000,
      commands: { nodeEstimates },
      provider: playwright({
        launchOptions: {
          executablePath: chromium,
          args: [
            "--no-sandbox",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--enable-unsafe-webgpu",
            "--use-webgpu-adapter=swiftshader",
          ],
        },
      }),
      instances: [{ browser: "chromium" as const }],
    },
  },
};

export default defineConfig({
  test: {
    // Two workers on two cores; each loads its own ONNX Runtime.
    maxWorkers: 2,
    projects: existsSync(chromium) ? [node, web] : [node],
  },
});
