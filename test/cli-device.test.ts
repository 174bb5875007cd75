import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { lastJson, run, temporaryFolder } from "./cli.ts";
import { webgpuEnvironment, withoutWebgpu } from "./webgpu.ts";

const folder = temporaryFolder();
const quick = ["train", "--hidden", "16", "--threads", "1", "--seed", "4", "--steps", "20", "--json"];
// Shaders are compiled in software.
const withAdapter = { env: webgpuEnvironment, timeout: 200_000 };
const config = (out: string) => JSON.parse(readFileSync(join(out, "config.json"), "utf8"));

describe.skipIf(withoutWebgpu)("--device webgpu", () => {
  it("trains as the CPU does, says so in config.json, and resumes on another device only when told", () => {
    const outs = ["cpu", "webgpu"].map((device) => join(folder, device)) as [string, string];
    const results = outs.map((out, index) => {
      const device = index === 0 ? [] : ["--device", "webgpu"];
      const { status, stdout, stderr } = run([...quick, ...device, "--out", out], withAdapter);
      expect(status, stderr).toBe(0);
      return lastJson(stdout) as { trainLoss: number; testLoss: number };
    }) as [{ trainLoss: number; testLoss: number }, { trainLoss: number; testLoss: number }];
    const [cpu, webgpu] = results;
    // 20 steps amplify differences of the last bits.
    expect(Math.abs(webgpu.trainLoss / cpu.trainLoss - 1)).toBeLessThan(1e-3);
    expect(Math.abs(webgpu.testLoss / cpu.testLoss - 1)).toBeLessThan(1e-3);
    expect(config(outs[0]).runtime).toMatch(/^onnxruntime-node [\d.]+$/);
    expect(config(outs[1]).runtime).toBe(`${config(outs[0]).runtime} on webgpu`);

    const refused = run([...quick, "--out", outs[1], "--resume"]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain(
      `runtime was ${config(outs[1]).runtime}, now ${config(outs[0]).runtime}`,
    );
    expect(refused.stderr).toContain("--allow-changes");
    expect(run([...quick, "--out", outs[1], "--resume", "--allow-changes"]).status).toBe(0);
  });

  it("evaluates as the CPU does", () => {
    const model = join(folder, "cpu", "model.onnx");
    const [cpu, webgpu] = ["cpu", "webgpu"].map((device) => {
      const args = ["eval", model, "--device", device, "--threads", "1", "--json"];
      const { status, stdout, stderr } = run(args, withAdapter);
      expect(status, stderr).toBe(0);
      return lastJson(stdout) as { testLoss: number };
    }) as [{ testLoss: number }, { testLoss: number }];
    expect(Math.abs(webgpu.testLoss / cpu.testLoss - 1)).toBeLessThan(1e-5);
  });
});

const isLinux = process.platform === "linux" && process.arch === "x64";
const libraries = join(
  dirname(createRequire(import.meta.url).resolve("onnxruntime-node")),
  `../bin/napi-v6/${process.platform}/${process.arch}/libonnxruntime_providers_cuda.so`,
);

describe("a device that is not there", () => {
  it.runIf(isLinux)("webgpu: the error says what was tried, and the fix", () => {
    const env = { ...process.env, VK_DRIVER_FILES: "/missing/driver.json" };
    const { status, stderr } = run([...quick, "--device", "webgpu", "--out", join(folder, "none")], { env });
    expect(status).toBe(1);
    expect(stderr).toContain("forwardgrad: The device webgpu cannot be used: ONNX Runtime says");
    expect(stderr).toContain(
      "Tried Vulkan with the drivers of VK_DRIVER_FILES=/missing/driver.json (there is no /missing/driver.json). " +
        "Install libvulkan1",
    );
    expect(stderr).toContain(
      "VK_DRIVER_FILES=/usr/lib/chromium/vk_swiftshader_icd.json before the program starts",
    );
    expect(stderr).toContain("--device cpu");
    expect(existsSync(join(folder, "none", "config.json"))).toBe(false);
  });

  it.runIf(isLinux && !existsSync(libraries))("cuda: the error says how its libraries are installed", () => {
    const { status, stderr } = run([...quick, "--device", "cuda", "--out", join(folder, "none")]);
    expect(status).toBe(1);
    expect(stderr).toContain("forwardgrad: The device cuda cannot be used");
    expect(stderr).toContain("npm rebuild onnxruntime-node --ignore-scripts=false");
  });

  it("a wrong name is answered with the nearest", () => {
    const { status, stderr } = run([...quick, "--device", "webgpi"]);
    expect(status).toBe(2);
    expect(stderr).toContain("Did you mean webgpu?");
  });
});
