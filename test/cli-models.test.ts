import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lastJson, run, temporaryFolder } from "./cli.ts";

const folder = temporaryFolder();
const quick = ["--steps", "5", "--batch", "8", "--tangents", "4", "--threads", "1", "--json"];

describe("train --model", () => {
  for (const [name, parameters, ...flags] of [
    ["lenet5", 61_706],
    ["lenet5", 61_706, "--activation", "tanh", "--pooling", "average"],
    // 4·9 + 4 + 4·14²·10 + 10
    ["convnet", 7890, "--architecture", "Conv4,3,2,1-ReLU--F-FC10"],
    // Statistics that are not those of the data leave its values unnormalized, so it needs small steps.
    // 196 + 576 + 2048 + 8192 + 32768 + 600 + 330
    ["resnet18", 44_710, "--width", "4", "--lr", "0.003"],
    ["resnet18", 44_710, "--width", "4", "--norm", "group"],
    // 272 + 16 + 800 + 2·32 + 816 + 272 + 544 + 528 + 32 + 170
    ["vit", 3514, "--width", "16", "--layers", "1", "--heads", "2"],
    // 272 + 2·32 + 841 + 2128 + 32 + 170
    ["mlp-mixer", 3507, "--width", "16", "--layers", "1"],
  ] as const) {
    it(`${name} ${flags.join(" ")}: five steps on glyphs`, () => {
      const out = join(folder, [name, ...flags].join(""));
      const result = run(["train", "--model", name, ...flags, ...quick, "--out", out]);
      expect(result.status, result.stderr).toBe(0);
      expect(lastJson(result.stdout)).toMatchObject({ steps: 5, parameters });
    });
  }

  it("answers a flag of another model with the model's own", () => {
    const fails = (...flags: string[]) => {
      const { status, stderr } = run(["train", ...flags, "--steps", "1", "--out", join(folder, "none")]);
      expect(status).toBe(1);
      return stderr;
    };
    expect(fails("--model", "vit", "--hidden", "16")).toContain(
      "--hidden belongs to mlp; the model vit takes --patch, --layers, --heads, --width.",
    );
    expect(fails("--width", "16")).toContain(
      "--width belongs to resnet18, vit, mlp-mixer; the model mlp takes",
    );
    expect(fails("--model", "some.onnx", "--norm", "group")).toContain(
      "an ONNX file takes none of the flags that shape a model",
    );
    expect(fails("--model", "convnet", "--architecture", "Conv4-F-FC")).toContain("\n  Conv4-F-FC\n  ^^^^^");
  });
});
