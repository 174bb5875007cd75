import { linkSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { beforeAll, describe, expect, it } from "vitest";
import { derivativeGraph } from "../src/ad/derivatives.ts";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { mlp } from "../src/models/mlp.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { encodeModelFile } from "../src/objective/importing/model-file.ts";
import { float32, type Tensor } from "../src/onnx/tensor.ts";
import { fillNormal } from "../src/random/normal.ts";
import { fold, keyFromSeed } from "../src/random/threefry.ts";
import { evaluate } from "../src/runtime/evaluate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { run, temporaryFolder } from "./cli.ts";
import { relativeError } from "./relative-error.ts";

const folder = temporaryFolder();
const path = join(folder, "model.onnx");
const batch = 5;
const k = 4;
const bytes = encodeModelFile(
  mlp({
    input: [2, 3],
    hidden: [7],
    outputs: 3,
    activation: "gelu",
    normalization: { mean: 0.2, standardDeviation: 0.5 },
  }),
);
const key = keyFromSeed(11);

function normal(stream: number, shape: readonly number[]): Tensor {
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
  fillNormal(fold(key, stream), 0, data);
  return float32(data, shape);
}

const bare = async (file: string, feeds: Readonly<Record<string, Tensor>>) => {
  const session = await ort.InferenceSession.create(readFileSync(file), { logSeverityLevel: 3 });
  const wrapped = Object.entries(feeds).map(
    ([name, { dtype, data, shape }]) =>
      [name, new ort.Tensor(dtype as "float32", data as Float32Array, shape)] as const,
  );
  return { session, results: await session.run(Object.fromEntries(wrapped)) };
};

describe("derived files in a bare session", () => {
  let objective: Awaited<ReturnType<typeof compileObjective>>;
  let feeds: Record<string, Tensor>;

  beforeAll(async () => {
    writeFileSync(path, bytes);
    objective = await compileObjective({
      model: bytes,
      loss: crossEntropy(),
      runtime: nodeRuntime({ threads: 1 }),
      batch,
    });
    feeds = {
      input: normal(1, [batch, 2, 3]),
      labels: { dtype: "int64", shape: [batch], data: BigInt64Array.of(0n, 1n, 2n, 1n, -100n) },
    };
  });

  const derive = (...args: string[]) => {
    const file = join(folder, `derived${args.join("")}.onnx`);
    const result = run([
      "derive",
      path,
      "--loss",
      "cross-entropy",
      "--tangents",
      String(k),
      "--batch",
      String(batch),
      ...args,
      "-o",
      file,
    ]);
    expect(result.status, result.stderr).toBe(0);
    return file;
  };
  const stacked = () =>
    Object.fromEntries(
      Object.entries(objective.parameters).map(([name, { shape }], index) => [
        `tangent/${name}`,
        normal(20 + index, [k, ...shape]),
      ]),
    );

  for (const perExample of [false, true]) {
    it(`give the library's derivatives${perExample ? " of each example" : ""}, which follow the parameters that are fed`, async () => {
      const file = derive(...(perExample ? ["--per-example"] : []));
      const all = { ...feeds, ...objective.parameters, ...stacked() };
      const { session, results } = await bare(file, all);
      expect([...session.inputNames].sort()).toEqual(Object.keys(all).sort());
      expect([...session.outputNames]).toEqual(["loss", "derivatives", "logits"]);
      expect(results.derivatives?.dims).toEqual(perExample ? [k, batch] : [k]);
      const forms = new Map(Object.keys(objective.parameters).map((name) => [name, "stacked"] as const));
      const graph = derivativeGraph(objective.graph, forms, k, perExample ? "losses" : "loss");
      const own = await evaluate(objective.runtime, graph, all);
      expect(
        relativeError(results.derivatives?.data as Float32Array, own.derivatives?.data as Float32Array),
      ).toBeLessThan(1e-6);
      expect(Number(results.loss?.data[0])).toBeCloseTo(Number(own.loss?.data[0]), 6);

      const moved = { ...all, "layer1.weight": normal(99, [7, 6]) };
      const { results: other } = await bare(file, moved);
      expect(
        relativeError(other.derivatives?.data as Float32Array, results.derivatives?.data as Float32Array),
      ).toBeGreaterThan(1e-2);
    });
  }

  it("take low-rank tangents as factors", async () => {
    const file = derive("--low-rank", "2");
    const dense = stacked();
    const factored: Record<string, Tensor> = {};
    for (const [index, [name, { shape }]] of Object.entries(objective.parameters).entries()) {
      const [rows = 0, columns = 0] = shape;
      if (shape.length < 2) {
        factored[`tangent/${name}`] = dense[`tangent/${name}`] as Tensor;
        continue;
      }
      const left = normal(40 + index, [k, rows, 2]);
      const right = normal(60 + index, [k, columns, 2]);
      factored[`tangent/${name}/left`] = left;
      factored[`tangent/${name}/right`] = right;
      const product = new Float32Array(k * rows * columns);
      for (let place = 0; place < product.length; place++) {
        const [i, row, column] = [
          Math.floor(place / (rows * columns)),
          Math.floor(place / columns) % rows,
          place % columns,
        ];
        for (let a = 0; a < 2; a++)
          product[place] =
            (product[place] as number) +
            Number(left.data[(i * rows + row) * 2 + a]) * Number(right.data[(i * columns + column) * 2 + a]);
      }
      dense[`tangent/${name}`] = float32(product, [k, rows, columns]);
    }
    const { results } = await bare(file, { ...feeds, ...objective.parameters, ...factored });
    const { results: expected } = await bare(derive(), { ...feeds, ...objective.parameters, ...dense });
    expect(
      relativeError(results.derivatives?.data as Float32Array, expected.derivatives?.data as Float32Array),
    ).toBeLessThan(1e-5);
  });

  it("keep the parameters inside when asked", async () => {
    const file = derive("--parameters", "initializers");
    const { results } = await bare(file, { ...feeds, ...stacked() });
    const { results: fed } = await bare(derive(), { ...feeds, ...objective.parameters, ...stacked() });
    expect(
      relativeError(results.derivatives?.data as Float32Array, fed.derivatives?.data as Float32Array),
    ).toBeLessThan(1e-6);
  });

  it("have tangents only for what is trainable, and need a batch size for an open batch", () => {
    const file = derive("--trainable", "bias$");
    const text = run(["inspect", file]).stdout;
    expect(text).toContain("tangent/layer1.bias");
    expect(text).not.toContain("tangent/layer1.weight");
    const open = run(["derive", path, "-o", join(folder, "open.onnx")]);
    expect(open.status).toBe(1);
    expect(open.stderr).toContain("--batch N");
  });
});

describe("the output file", () => {
  const derive = (input: string, output: string, ...more: string[]) =>
    run(["derive", input, "--batch", "2", "--tangents", "2", "-o", output, ...more]);

  it("is never the input, nor a file of somebody else's, unless told so", () => {
    const here = temporaryFolder();
    const input = join(here, "input.onnx");
    const [hard, soft] = [join(here, "hard.onnx"), join(here, "soft.onnx")];
    writeFileSync(input, bytes);
    linkSync(input, hard);
    symlinkSync(input, soft);
    const other = join(here, "other.onnx");
    writeFileSync(other, "mine");
    const refused: [string, string][] = [
      [input, "is the input itself"],
      [hard, "is the same file as the input"],
      [soft, "is the same file as the input"],
      [other, "was not written by this command"],
      [here, "is no regular file"],
    ];
    for (const [output, message] of refused) {
      const { status, stderr } = derive(input, output);
      expect([status, stderr], output).toEqual([1, expect.stringContaining(message)]);
    }
    expect(readFileSync(input).equals(bytes)).toBe(true);
    expect(readFileSync(other, "utf8")).toBe("mine");

    const output = join(here, "derivative.onnx");
    expect(derive(input, output).status).toBe(0);
    const first = readFileSync(output);
    // Its own file may be written again, but not where it is the input.
    expect(derive(input, output, "--per-example").status).toBe(0);
    expect(readFileSync(output).equals(first)).toBe(false);
    expect(derive(output, output).stderr).toContain("is the input itself");
    expect(derive(input, other, "--overwrite").status).toBe(0);
    expect(readFileSync(other).equals(first)).toBe(true);
  });
});
