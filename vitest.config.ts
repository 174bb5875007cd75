import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    // Generous, because child processes on a busy machine take several times as long.
    testTimeout: 300_000,
    hookTimeout: 120_000,
    // Two workers on two cores; each loads its own ONNX Runtime.
    maxWorkers: 2,
  },
});
