import { readFileSync } from "node:fs";
import { create } from "@bufbuild/protobuf";
import { FunctionProtoSchema, GraphProtoSchema, ModelProtoSchema, NodeProtoSchema } from "onnx-buf";
import { describe, expect, it } from "vitest";
import { limitsWith } from "../src/limits/limits.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { isBuffer } from "../src/objective/importing/buffers.ts";
import { importWarnings } from "../src/objective/importing/import-warnings.ts";
import { bindInputs } from "../src/onnx/bind.ts";
import { modelMessage } from "../src/onnx/encode.ts";
import { withFields } from "../src/onnx/messages/message.ts";
import { readModel } from "../src/onnx/read-model.ts";
import { inlineFunctions } from "../src/onnx/structure/functions.ts";
import { float32 } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { casesOf, holdCase, readCase, useEverywhere } from "./cases.ts";

describe("files that leave every optional field unset", () => {
  it.each(casesOf("unset-fields"))("%s is trained, adapted, measured and derived", (name) =>
    useEverywhere("unset-fields", name),
  );
});

describe("functions that a file defines itself", () => {
  it.each(casesOf("local-functions"))("%s: they are inlined", (name) =>
    useEverywhere("local-functions", name),
  );

  /** A model whose functions f0, f1, … call each other as said. */
  const calling = (calls: readonly (readonly number[])[]) => {
    const node = (name: string, opType: string) =>
      create(NodeProtoSchema, { domain: "own", opType, input: ["x"], output: [name] });
    const functions = calls.map((called, index) =>
      create(FunctionProtoSchema, {
        name: `f${index}`,
        domain: "own",
        input: ["x"],
        output: ["y0"],
        node: called.map((other, place) => node(`y${place}`, `f${other}`)),
      }),
    );
    const graph = create(GraphProtoSchema, { name: "g", node: [node("y", "f0")] });
    return create(ModelProtoSchema, { irVersion: 10n, graph, functions });
  };

  it("are refused where they call themselves, or unfold without end", () => {
    expect(() => inlineFunctions(calling([[1], [0]]), "f.onnx", limitsWith({ nodes: 1000 }))).toThrow(
      "f.onnx: the function 'f0' (domain 'own') calls itself: 'f0', which calls 'f1', which calls 'f0'",
    );
    const doubling = Array.from({ length: 60 }, (_, index) => [index + 1, index + 1]);
    expect(() => inlineFunctions(calling([...doubling, []]), "f.onnx", limitsWith({ nodes: 1000 }))).toThrow(
      /unfold into more than 1,000 nodes/,
    );
  });
});

describe("weights in Constant nodes", () => {
  it.each(casesOf("constant-weights"))("%s: they are trained and saved where they were", async (name) => {
    await useEverywhere("constant-weights", name);
  });

  const withConstant = (producerName: string) => {
    const g = new GraphBuilder("constants");
    const x = g.input("x", "float32", [2, 3]);
    const w = g.parameter("w", float32([1, 2, 3, 4, 5, 6], [3, 2]));
    const basis = g.constant(float32([1, 3, 5, 2], [2, 2]));
    const graph = g.build({ y: g.matMul(g.matMul(x, w), basis) });
    const proto = modelMessage(graph, { openBatch: true, constantNodes: true });
    return { model: readModel(withFields(proto, { producerName }), "f.onnx"), basis: basis.name };
  };

  it("are told from constants by files that keep weights elsewhere", async () => {
    const trainedOf = async (producer: string, trainable?: (name: string) => boolean) => {
      const { model } = withConstant(producer);
      const options = {
        model,
        loss: crossEntropy(),
        runtime: nodeRuntime({ threads: 1 }),
        batch: 2,
        trainable,
      };
      return Object.keys((await compileObjective(options)).parameters);
    };
    const { basis } = withConstant("pytorch");
    expect(await trainedOf("forwardgrad")).toEqual(["w"]);
    expect(await trainedOf("pytorch")).toEqual(["w"]);
    expect(await trainedOf("jax2onnx")).toEqual(["w", basis]);
    expect(await trainedOf("pytorch", () => true)).toEqual(["w", basis]);
  });
});

describe("open dimensions", () => {
  it.each(casesOf("open-dimensions").filter((name) => name !== "filled"))(
    "%s: are bound from the data",
    (name) => useEverywhere("open-dimensions", name, { dimensions: { length: 5, "x.1": 5, "x.2": 3 } }),
  );

  it("filled: the batch lies on the second axis", () =>
    useEverywhere("open-dimensions", "filled", { fill: { state: 0.5 } }));

  it("are bound by input and axis where they have no name", () => {
    const { model } = readCase("open-dimensions", "nameless");
    expect(() => bindInputs(model, { batch: 4 })).toThrow(
      "nameless.onnx: dimension 1 of input 'x' is open (no name); bind it (dimensions: { \"x.1\": … }), or export with a fixed size.",
    );
    expect(bindInputs(model, { batch: 4, dimensions: { "x.1": 7 } })[0]?.shape).toEqual([4, 7, 3]);
    const { model: shapeless } = readCase("open-dimensions", "shapeless");
    expect(() => bindInputs(shapeless, { batch: 4 })).toThrow(
      "shapeless.onnx does not say which shape its input 'x' has; bind each axis after the batch by its number (dimensions: { \"x.1\": … })",
    );
    expect(bindInputs(shapeless, { batch: 4, dimensions: { "x.2": 3, "x.1": 7 } })[0]?.shape).toEqual([
      4, 7, 3,
    ]);
  });
});

describe("branches beside what is trained", () => {
  it.each(casesOf("side-branches"))("%s: are left alone, and kept in the file", async (name) => {
    await useEverywhere("side-branches", name);
  });
});

describe("opsets 7 to 12", () => {
  it.each(casesOf("older-opsets"))("%s: their forms are read, and kept in the file", async (name) => {
    await useEverywhere("older-opsets", name);
  });
});

describe("buffers and tied weights", () => {
  it.each(casesOf("buffers"))("%s: what names and numbers say is no parameter", (name) =>
    holdCase("buffers", name),
  );

  it("are parameters where they are chosen", async () => {
    const { model } = readCase("buffers", "torchscript");
    const options = { model, loss: crossEntropy(), runtime: nodeRuntime({ threads: 1 }), batch: 4 };
    const chosen = await compileObjective({ ...options, trainable: (name) => /inv_freq|bias/.test(name) });
    expect(Object.keys(chosen.parameters).sort()).toEqual(["final_logits_bias", "inv_freq", "mix.bias"]);
  });

  it("are told by numbers as well: a name alone does not make a buffer", () => {
    expect(isBuffer("rotary.inv_freq", float32([1, 0.5, 0.25]))).toBe(true);
    expect(isBuffer("rotary.inv_freq", float32([1, 0.5, 0.75]))).toBe(false);
    expect(isBuffer("final_logits_bias", float32([0, 0.5], [1, 2]))).toBe(false);
    expect(isBuffer("attention.mask", float32([0, 1, Number.NEGATIVE_INFINITY]))).toBe(false);
    expect(isBuffer("layer.weight", float32([0, 0]))).toBe(false);
  });

  it("that an exporter stored twice are both named", () => {
    const twins = (name: string) =>
      importWarnings(readCase("buffers", name).model)
        .map(String)
        .filter((warning) => warning.includes("the same numbers"));
    const [warning] = twins("tied-torchscript");
    expect(warning).toContain("'table.weight' and 'onnx::MatMul_26' hold the same numbers");
    expect(twins("torchscript")).toEqual([]);
    expect(twins("dynamo")).toEqual([]);
  });
});

describe("classical models", () => {
  it.each([
    ["forest", /TreeEnsembleClassifier node .*this is a tree ensemble .*\(mlp\)/],
    ["logistic", /LinearClassifier node .*this is a classical linear model .*nn\.Linear/],
    ["machine", /SVMClassifier node .*this is a support vector machine/],
  ])("%s: is named as what it is", async (name, message) => {
    const bytes = new Uint8Array(readFileSync(new URL(`cases/classical/${name}.onnx`, import.meta.url)));
    const runtime = nodeRuntime({ threads: 1 });
    await expect(compileObjective({ model: bytes, loss: crossEntropy(), runtime, batch: 4 })).rejects.toThrow(
      message,
    );
  });
});
