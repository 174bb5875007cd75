import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { encodeModelFile } from "../src/objective/importing/model-file.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import { encodeGraph } from "../src/onnx/encode.ts";
import { elementCount, float32 } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { lastJson, run, temporaryFolder } from "./cli.ts";

const folder = temporaryFolder();
const [words, width, length] = [6, 4, 3];
const model = join(folder, "words.onnx");
const data = join(folder, "words.csv");

const wave = (shape: readonly number[], offset: number) =>
  float32(
    Array.from({ length: elementCount(shape) }, (_, place) => Math.sin(1.9 * place + offset)),
    shape,
  );

/** Which of two classes three word numbers belong to, by an embedding, a mask, and two layers. */
beforeAll(() => {
  const g = new GraphBuilder("words");
  const tokens = g.input("tokens", "int64", [1, length]);
  const mask = g.input("mask", "float32", [1, length]);
  const embedded = g.block("embedding", () =>
    g.mul(g.gather(g.parameter("embedding", wave([words, width], 1)), tokens), g.unsqueeze(mask, [2])),
  );
  const mean = g.reduceMean(embedded, [1], { keepdims: 0 });
  const hidden = g.block("hidden", () =>
    g.tanh(
      g.gemm(
        mean,
        g.parameter("hidden.weight", wave([5, width], 2)),
        g.parameter("hidden.bias", wave([5], 3)),
        { transB: 1 },
      ),
    ),
  );
  const logits = g.block("head", () =>
    g.gemm(hidden, g.parameter("head.weight", wave([2, 5], 4)), g.parameter("head.bias", wave([2], 5)), {
      transB: 1,
    }),
  );
  writeFileSync(model, encodeModelFile(g.build({ logits })));
  const rows = Array.from({ length: 400 }, (_, row) => {
    const numbers = [row * 7, row * 11 + 3, row * 5 + (row % 3)].map((number) => number % words);
    return [...numbers, numbers.filter((word) => word < 3).length > 1 ? "low" : "high"].join(",");
  });
  writeFileSync(data, ["a,b,c,kind", ...rows].join("\n"));
});

const csv = ["--data", "csv", "--data-file", data, "--target", "kind"];

function train(name: string, ...flags: string[]) {
  const out = join(folder, name);
  const settings = ["--batch", "16", "--tangents", "8", "--threads", "1", "--json", "--out", out];
  const result = run(["train", "--model", model, ...csv, ...settings, ...flags]);
  return { ...result, path: join(out, "model.onnx") };
}

const weightsOf = (path: string) => decodeModel(new Uint8Array(readFileSync(path))).initializers;

describe("an imported model with several inputs", () => {
  it("says what is missing, and what it has guessed", () => {
    const missing = train("missing", "--steps", "2");
    expect(missing.status).toBe(1);
    expect(missing.stderr).toContain("the inputs 'tokens' int64, 'mask' float32");
    expect(missing.stderr).toContain("nothing feeds 'tokens'");
    expect(missing.stderr).toContain("--fill NAME=1");
    const wrong = train("wrong", "--steps", "2", "--fill", "masc=1");
    expect(wrong.stderr).toContain("has no input 'masc'");
    expect(train("format", "--fill", "mask").status).toBe(2);
  });

  it("learns from whole numbers, measures the same in eval, and keeps its interface", () => {
    const result = train("words", "--fill", "mask=1", "--epochs", "40", "--lr", "3");
    expect(result.status, result.stderr).toBe(0);
    expect(result.stderr).toContain("examples feed 'tokens' (--input), the loss reads 'logits' (--output)");
    expect(result.stderr).toContain("embedding, hidden.weight, hidden.bias, head.weight, head.bias");
    const outcome = lastJson(result.stdout);
    expect(outcome.testAccuracy).toBeGreaterThan(0.8);
    const measured = run(["eval", result.path, ...csv, "--fill", "mask=1", "--json"]);
    expect(lastJson(measured.stdout)).toMatchObject({
      testAccuracy: outcome.testAccuracy,
      testLoss: outcome.testLoss,
    });
    const [before, after] = [model, result.path].map((path) =>
      decodeModel(new Uint8Array(readFileSync(path))),
    );
    expect(after?.inputs).toEqual(before?.inputs);
    expect(after?.outputs).toEqual(before?.outputs);
    expect(after?.nodes).toEqual(before?.nodes);
    expect(after?.opset).toBe(before?.opset);
  });

  it("refuses fractions where it takes whole numbers", () => {
    const fractions = join(folder, "fractions.csv");
    writeFileSync(fractions, readFileSync(data, "utf8").replace("\n0,", "\n0.5,"));
    const result = train("fractions", "--fill", "mask=1", "--data-file", fractions, "--epochs", "1");
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("input 'tokens' takes whole numbers (int64), and the data have 0.5");
  });
});

describe("what is trained", () => {
  const changed = (path: string) => {
    const before = weightsOf(model);
    return [...weightsOf(path)].flatMap(([name, { data: after }]) =>
      before.get(name)?.data.every((value, place) => value === after[place]) ? [] : [name],
    );
  };

  it("is what --trainable chooses and --freeze leaves", () => {
    const some = train(
      "some",
      "--fill",
      "mask=1",
      "--steps",
      "4",
      "--trainable",
      "weight$",
      "--freeze",
      "head",
    );
    expect(some.status, some.stderr).toBe(0);
    expect(changed(some.path)).toEqual(["hidden.weight"]);
    const frozen = train("frozen", "--fill", "mask=1", "--steps", "4", "--freeze", "embedding|bias");
    expect(changed(frozen.path)).toEqual(["hidden.weight", "head.weight"]);
    const none = train("none", "--fill", "mask=1", "--steps", "4", "--trainable", "nothing");
    expect(none.status).toBe(1);
    expect(none.stderr).toContain("nothing to train");
  });

  it("are blocks' parameters, found by the first segment of nodes' names", () => {
    const blocks = train(
      "blocks",
      "--fill",
      "mask=1",
      "--steps",
      "4",
      "--perturb",
      "blocks",
      "--guess",
      "none",
    );
    expect(blocks.status, blocks.stderr).toBe(0);
    expect(blocks.stderr).toContain("8 tangents in 19 dimensions"); // 3·4 + 5 + 2
    const wrong = train("no-blocks", "--fill", "mask=1", "--perturb", "blocks", "--blocks", "stage");
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toContain("--blocks");
  });

  it("are adapters alone, saved merged or apart", () => {
    const adapter = ["--fill", "mask=1", "--steps", "8", "--adapter", "lora", "--rank", "2"];
    const merged = train("merged", ...adapter, "--adapter-target", "weight$");
    expect(merged.status, merged.stderr).toBe(0);
    expect(lastJson(merged.stdout).parameters).toBe(2 * (5 + 4) + 2 * (2 + 5));
    expect(changed(merged.path)).toEqual(["hidden.weight", "head.weight"]);
    const apart = train("apart", ...adapter, "--adapter-target", "hidden.weight", "--save-adapter", "apart");
    expect(apart.status, apart.stderr).toBe(0);
    expect(changed(apart.path)).toEqual(["hidden.weight.lora_A", "hidden.weight.lora_B"]);
    expect(run(["eval", apart.path, ...csv, "--fill", "mask=1", "--json"]).status).toBe(0);
    const both = train("both", ...adapter, "--trainable", "head");
    expect(both.status).toBe(1);
    expect(both.stderr).toContain("--target");
    const large = train(
      "large",
      "--fill",
      "mask=1",
      "--adapter",
      "lora",
      "--rank",
      "3",
      "--adapter-target",
      "head",
    );
    expect(large.stderr).toContain("must be a whole number from 1 to 2, received 3; lower it (--rank)");
    expect(existsSync(large.path)).toBe(false);
  });

  it("fits into less memory on demand", () => {
    const low = train("low", "--fill", "mask=1", "--steps", "4", "--low-memory");
    const usual = train("usual", "--fill", "mask=1", "--steps", "4");
    expect(low.status, low.stderr).toBe(0);
    expect(lastJson(low.stdout).trainLoss).toBeCloseTo(lastJson(usual.stdout).trainLoss as number, 4);
  });
});

describe("a model that cannot be trained", () => {
  /** One node of an op that the builder does not know. */
  function foreign(op: string, domain = ""): string {
    const value = { name: "x", dtype: "float32" as const, shape: [2, 1, 28, 28] };
    const output = { name: "y", dtype: "float32" as const, shape: [2, 3] };
    const node = { name: "odd", op, domain, inputs: ["x"], outputs: ["y"], attributes: {} };
    const path = join(folder, `${op}.onnx`);
    const graph = {
      name: "foreign",
      opset: 20,
      inputs: [value],
      outputs: [output],
      nodes: [node],
      parameters: [],
    };
    const values = new Map([value, output].map((each) => [each.name, each]));
    writeFileSync(path, encodeGraph({ ...graph, initializers: new Map(), values }));
    return path;
  }

  it.each([
    ["Loop", "", "Loop node 'odd' (domain 'ai.onnx', opset 20)", "control flow"],
    ["SequenceInsert", "", "SequenceInsert node 'odd' (domain 'ai.onnx', opset 20)", "sequences"],
    ["QLinearConv", "", "QLinearConv node 'odd' (domain 'ai.onnx', opset 20)", "before quantization"],
    [
      "LongformerAttention",
      "com.microsoft",
      "LongformerAttention node 'odd' (domain 'com.microsoft', opset 20)",
      "without fusions",
    ],
    ["Unique", "", "Unique node 'odd' (domain 'ai.onnx', opset 20)", "depends on data"],
    ["Convv", "", "Convv node 'odd' (domain 'ai.onnx', opset 20)", "Conv"],
  ])("names the node, op, domain and opset of %s, and the remedy", (op, domain, where, remedy) => {
    for (const args of [
      ["train", "--model", foreign(op, domain), "--out", join(folder, "foreign")],
      ["derive", foreign(op, domain), "-o", join(folder, "foreign-derived.onnx")],
    ]) {
      const { status, stderr } = run(args);
      expect(status).toBe(1);
      expect(stderr).toContain(where);
      expect(stderr).toContain(remedy);
      expect(stderr).not.toContain("    at ");
    }
  });
});
