import { describe, expect, it } from "vitest";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { encodeModel } from "../src/onnx/encode.ts";
import { int } from "../src/onnx/graph.ts";
import { type Model, readModel } from "../src/onnx/read-model.ts";
import { constantNode, plainNode } from "../src/onnx/structure/subgraphs.ts";
import { int64 } from "../src/onnx/tensor.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { casesOf, readCase, useEverywhere } from "./cases.ts";

const runtime = nodeRuntime({ threads: 1 });

describe.each(["sequences", "loops"])("%s in files", (kind) => {
  it.each(casesOf(kind))("%s is trained, adapted, measured and derived", (name) =>
    useEverywhere(kind, name, {
      input: readCase(kind, name).model.inputs[0]?.name,
      dimensions: { length: 5 },
    }),
  );

  it.each(casesOf(kind))("%s is saved as it was", async (name) => {
    const { model, golden } = readCase(kind, name);
    const options = { model, loss: crossEntropy(), runtime, batch: golden.labels.length };
    const objective = await compileObjective({ ...options, dimensions: { length: 5 } });
    const saved = decodeModel(encodeModel(objective.model, new Map()));
    expect(saved.nodes.map(({ op }) => op)).toEqual(model.nodes.map(({ op }) => op));
  });
});

describe("what data decide is refused", () => {
  it("how often a loop runs", async () => {
    const { model } = readCase("loops", "helper-while");
    const graph = model.proto.graph;
    const length = graph?.node.find(({ output }) => output.includes("length"));
    // From the numbers of x instead of its shape.
    length?.input.splice(0, 1, "counted");
    const added = [
      plainNode("Cast", ["x"], ["whole"], { to: int(7) }),
      plainNode("Reshape", ["whole", "flat"], ["counted"]),
      constantNode("flat", int64([-1])),
    ];
    graph?.node.push(...added);
    await expect(compile(readModel(model.proto, "counted.onnx"))).rejects.toThrow(
      /counted\.onnx: Loop node 'end' .*how often it runs depends on data.*fixed number of iterations/s,
    );
  });

  it("where a sequence is read", async () => {
    const { model } = readCase("sequences", "helper-list");
    const graph = model.proto.graph;
    const at = graph?.node.find(({ opType }) => opType === "SequenceAt");
    at?.input.splice(1, 1, "place");
    graph?.node.push(
      plainNode("ReduceSum", ["x"], ["total"], { keepdims: int(0) }),
      plainNode("Cast", ["total"], ["place"], { to: int(7) }),
    );
    await expect(compile(readModel(model.proto, "read.onnx"))).rejects.toThrow(
      /read\.onnx: SequenceAt node 'bias' .*sequences are not supported where data decide.*tensors only/s,
    );
  });
});

it("a loop that is too long to be written out is named with its turns and the limit", async () => {
  const { model } = readCase("loops", "helper-scan");
  const limited: Model = { ...model, limits: { ...model.limits, unrolledNodes: 30 } };
  await expect(compile(limited)).rejects.toThrow(
    /Scan node 'last' runs 5 times, and its graph has 6 nodes.*limits: \{ unrolledNodes: … \}/s,
  );
});

const compile = (model: Model) => compileObjective({ model, loss: crossEntropy(), runtime, batch: 4 });
