import { describe, expect, it } from "vitest";
import { similarNames } from "../errors/similar-names.ts";
import type { Node } from "../onnx/graph.ts";
import { furtherRules, opNames } from "./catalogue.ts";
import { findOp } from "./find-op.ts";
import { refuseUnsupported } from "./unsupported.ts";

const node = (op: string, domain = ""): Node => ({
  name: "fc1",
  op,
  domain,
  inputs: ["x"],
  outputs: ["y"],
  attributes: {},
});

function refusal(op: string, domain = "", opset = 17): string {
  try {
    if (!findOp(node(op, domain), opset, furtherRules)) refuseUnsupported(node(op, domain), opset);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`${op} is supported`);
}

describe("an op without rules is refused", () => {
  const cases: readonly (readonly [ops: readonly string[], remedy: RegExp])[] = [
    [["Optional", "OptionalGetElement"], /tensors only/],
    [["StringNormalizer", "StringConcat", "TfIdfVectorizer", "ImageDecoder"], /Leave the preprocessing out/],
    [["QLinearConv", "QLinearMatMul", "QGemm"], /float model, before quantization/],
    [
      ["RandomNormal", "RandomUniformLike", "Bernoulli", "Multinomial"],
      /eval mode, or make the noise an input/,
    ],
    [["Unique", "NonMaxSuppression"], /depends on data.*postprocessing/],
    [["Scatter", "Upsample"], /removed from the ONNX standard.*Write ScatterElements or Resize/],
  ];
  for (const [ops, remedy] of cases) {
    it(`with node, domain, opset and a remedy: ${ops.join(", ")}`, () => {
      for (const op of ops) {
        const message = refusal(op);
        expect(message).toContain(`${op} node 'fc1' (domain 'ai.onnx', opset 17)`);
        expect(message).toMatch(remedy);
      }
    });
  }

  it("with its domain, and what the domain calls for", () => {
    const expected: readonly (readonly [domain: string, remedy: RegExp])[] = [
      ["com.microsoft", /without fusions made for one runtime.*onnxruntime/],
      ["com.microsoft.nchwc", /without fusions/],
      ["ai.onnx.contrib", /custom ops/],
      ["ai.onnx.ml", /not trained by gradients/],
      ["ai.onnx.preview.training", /for inference, without optimizer/],
      ["pkg.onnxscript.torch_lib", /the file does not define this one/],
    ];
    for (const [domain, remedy] of expected) {
      const message = refusal("Relu", domain);
      expect(message).toContain(`Relu node 'fc1' (domain '${domain}', opset 17)`);
      expect(message).toMatch(remedy);
    }
  });

  it("with similar ones", () => {
    expect(refusal("Relu6")).toContain("Similar ones that are: Relu. ");
    expect(refusal("Frobnicate")).not.toContain("Similar");
    expect(refusal("Frobnicate")).toContain(`rules for ${opNames.length} ops`);
    expect(refusal("constructor")).toContain("not supported");
  });

  it("where similar means a few letters apart, or contained", () => {
    const names = ["Add", "Tanh", "Tan", "Atan", "ReduceSum", "ReduceMean", "Softmax", "LogSoftmax", "Sum"];
    expect(similarNames("Tanhh", names)).toEqual(["Tan", "Tanh"]);
    expect(similarNames("softmax", names)).toEqual(["Softmax", "LogSoftmax"]);
    expect(similarNames("ReduceSums", names)).toEqual(["ReduceSum"]);
    expect(similarNames("Xyz", names)).toEqual([]);
    expect(similarNames("ab", ["ac", "ad", "ae", "af", "ag", "ah"])).toEqual(["ac", "ad", "ae", "af", "ag"]);
  });
});
