import { existsSync } from "node:fs";
import { DeviceError } from "../src/errors/errors.ts";
import { float32 } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { compileGraph } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";

/** Chromium's adapter in software, as Debian's packages chromium and libvulkan1 bring it. */
const swiftshader = "/usr/lib/chromium/vk_swiftshader_icd.json";

// The Vulkan loader reads this when the first session is made; a real adapter would make the numbers the machine's own.
if (!process.env.VK_DRIVER_FILES && existsSync(swiftshader)) process.env.VK_DRIVER_FILES = swiftshader;

/** What child processes need to find the adapter. */
export const webgpuEnvironment = { ...process.env };

/** Why tests of WebGPU cannot run here; undefined where they can. */
export const withoutWebgpu = await reason();
if (withoutWebgpu) console.warn(`Tests of WebGPU are skipped: ${withoutWebgpu}`);

async function reason(): Promise<string | undefined> {
  const g = new GraphBuilder("probe");
  const graph = g.build({ y: g.tanh(g.input("x", "float32", [2])) });
  try {
    const session = await compileGraph(nodeRuntime({ device: "webgpu", threads: 1 }), graph);
    await session.run({ x: float32([0, 1], [2]) });
    // Never released, because compiled shaders are kept only while there is a session.
    return undefined;
  } catch (error) {
    if (error instanceof DeviceError) return error.message;
    throw error;
  }
}
