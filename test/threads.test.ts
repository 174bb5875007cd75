import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { nodeRuntime } from "../src/runtime/node.ts";

const dist = resolve(import.meta.dirname, "..", "dist");
const url = (name: string) => JSON.stringify(pathToFileURL(join(dist, name)).href);

/** Runs a program in a process of its own; it has `drawer` on two threads and `draw`. */
async function run(program: string): Promise<string> {
  const code = `
    import { keyFromSeed } from ${url("index.js")};
    import { createDrawer } from ${url("autodiff.js")};
    import { nodeRuntime } from ${url("node.js")};
    const drawer = createDrawer(nodeRuntime({ threads: 2 }));
    const draw = () => {
      const out = new Float32Array(200_000);
      drawer.draw([{ fill: "normal", key: keyFromSeed(1), start: 0, out }]);
      return out.reduce((sum, value) => sum + value, 0);
    };
    ${program}`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", code], {
    timeout: 120_000,
  });
  return stdout.trim();
}

describe("threads that draw", () => {
  it("do not keep the process alive, before they run and after", async () => {
    const sum = await run("console.log(draw());");
    expect(Number(sum)).not.toBeNaN();
    const later = `
      draw();
      await new Promise((resolve) => setTimeout(resolve, 300));
      console.log(draw());`;
    expect(await run(later)).toBe(sum);
    expect(await run(`console.log(draw()); await drawer.release();`)).toBe(sum);
  });

  it("are none where one thread is all that may be used", () => {
    expect(nodeRuntime({ threads: 1 }).startThread).toBeUndefined();
    expect(nodeRuntime({ threads: 2 }).startThread).toBeDefined();
  });
});
