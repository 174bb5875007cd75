import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { importWarnings } from "../src/objective/importing/import-warnings.ts";
import { encodeModelFile } from "../src/objective/importing/model-file.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import type { Model } from "../src/onnx/read-model.ts";
import { float32 } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { run, temporaryFolder } from "./cli.ts";

const zoo = new URL("goldens/zoo/", import.meta.url).pathname;
const read = (name: string) => new Uint8Array(readFileSync(join(zoo, name)));
const load = (name: string): Model => decodeModel(read(name), { source: name, external: read });
const weights = (count: number) => Array.from({ length: count }, (_, place) => Math.sin(1 + place));

/** Two layers with their biases, and a normalization by stored numbers, as files come from tracing. */
function traced(bias: number[], share: "by copies" | "directly" | "not at all"): Uint8Array {
  const g = new GraphBuilder("traced");
  const x = g.sub(g.input("x", "float32", [1, 2]), g.parameter("pixels.mean", float32([0.5, 0.25])));
  const first = g.parameter("first.bias", float32(bias));
  const second =
    share === "by copies"
      ? g.identity(first)
      : share === "directly"
        ? first
        : g.parameter("second.bias", float32(bias));
  const [u, v] = [1, 2].map((layer) => g.parameter(`${layer}.weight`, float32(weights(4), [2, 2])));
  if (!u || !v) throw new Error("two weights were made");
  const y = g.gemm(g.tanh(g.gemm(x, u, first)), v, second);
  return encodeModelFile(g.build({ y }));
}

describe("a file's lost parameters", () => {
  it("are named where a constant tensor is read in several places", () => {
    const [copied] = importWarnings(decodeModel(traced([0, 0], "by copies"), { source: "f.onnx" }));
    expect(copied?.message).toContain("f.onnx: exporters store parameters of equal values once");
    expect(copied?.message).toMatch(/'first\.bias' \(also '[^']+'\)/);
    expect(copied?.message).toContain("optimize=False");
    const [direct] = importWarnings(decodeModel(traced([1, 1], "directly")));
    expect(direct?.message).toContain("'first.bias' (read by 2 nodes)");
  });

  it("are not looked for in tied, single or frozen tensors", () => {
    const about = (bytes: Uint8Array, trained?: readonly string[]) =>
      importWarnings(decodeModel(bytes), trained).filter(({ message }) => message.includes("equal values"));
    expect(about(traced([0.1, 0.2], "directly"))).toEqual([]);
    expect(about(traced([0, 0], "not at all"))).toEqual([]);
    expect(about(traced([0, 0], "directly"), ["1.weight", "2.weight"])).toEqual([]);
    expect(about(traced([0, 0], "directly"), ["first.bias"])).toHaveLength(1);
  });

  it("may be buffers, unless the file says what is one", () => {
    const bytes = traced([0.1, 0.2], "not at all");
    expect(importWarnings(decodeModel(bytes)).map(String)).toEqual([
      "the model does not say which stored tensors are buffers, and 'pixels.mean' is named like one. If it is no " +
        "parameter of the model, leave it out (frozen), or export with torch.onnx.export(…, dynamo=True).",
    ]);
    expect(importWarnings(decodeModel(bytes), ["first.bias"])).toEqual([]);
    expect(importWarnings({ ...decodeModel(bytes), declared: new Set(["1.weight"]) })).toEqual([]);
  });

  it("are found in exports of fresh normalizations alone, among all models here", () => {
    const files = readdirSync(zoo).filter((name) => name.endsWith(".onnx"));
    const warned = files.flatMap((name) =>
      importWarnings(load(name)).map(({ message }) => [name, message] as const),
    );
    const twins = warned.filter(([, text]) => text.includes("hold the same numbers"));
    expect(warned.filter((each) => !twins.includes(each)).map(([name]) => name)).toEqual([
      "fresh-dynamo18.onnx",
      "fresh-opset17.onnx",
    ]);
    // Their embedding is tied to the head, which both exporters store a second time, transposed.
    expect(twins.map(([name]) => name)).toEqual([
      "gpt-dynamo18.onnx",
      "gpt-dynamo23.onnx",
      "gpt-half-dynamo18.onnx",
      "gpt-open-opset17.onnx",
      "gpt-opset17.onnx",
      "gpt-optimized-opset17.onnx",
    ]);
    expect(importWarnings(load("fresh-opset17.onnx"))[0]?.message).toContain(
      "'norm1.weight' (also 'norm2.weight')",
    );
    expect(importWarnings(load("fresh-dynamo18.onnx"))[0]?.message).toContain(
      "'norm1.weight' (read by 2 nodes)",
    );
    expect(load("fresh-dynamo18.onnx").declared).toContain("norm1.weight");
    expect(load("fresh-opset17.onnx").declared.size).toBe(0);
  });

  it("are said by inspect and by train, once and on stderr", () => {
    const folder = temporaryFolder();
    const [model, data] = [join(folder, "traced.onnx"), join(folder, "data.csv")];
    writeFileSync(model, traced([0, 0], "by copies"));
    writeFileSync(
      data,
      [
        "a,b,kind",
        ...Array.from({ length: 60 }, (_, row) => `${row % 7},${row % 5},${row % 2 ? "x" : "y"}`),
      ].join("\n"),
    );
    const inspected = run(["inspect", model]);
    expect(inspected.stderr.match(/^warning: /gm)).toHaveLength(2);
    expect(inspected.stdout).not.toContain("warning");
    const flags = [
      "--data",
      "csv",
      "--data-file",
      data,
      "--target",
      "kind",
      "--threads",
      "1",
      "--batch",
      "8",
    ];
    const out = ["--out", join(folder, "run"), "--steps", "2"];
    const trained = run(["train", "--model", model, ...flags, ...out, "--freeze", "mean"]);
    expect(trained.status).toBe(0);
    expect(trained.stderr.match(/^warning: .*'first\.bias' \(also/gm)).toHaveLength(1);
    expect(trained.stderr).not.toContain("pixels.mean' is named");
  });
});
