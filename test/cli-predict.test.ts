/** `forwardgrad predict` on files of pandas, NumPy, Pillow and PyTorch (`test/cases/predict/make.py`). */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { askedParts, type PredictionChoice } from "../src/cli/flags/prediction-data.ts";
import { type AskedPart, RowWriter } from "../src/cli/prediction-rows.ts";
import { parseCsv } from "../src/data/files/csv.ts";
import { decodeModel } from "../src/onnx/decode.ts";
import expected from "./cases/predict/expected.golden.json" with { type: "json" };
import { run, temporaryFolder } from "./cli.ts";

const cases = join(import.meta.dirname, "cases", "predict");
const model = (name: string) => decodeModel(new Uint8Array(readFileSync(join(cases, `${name}.onnx`))));
async function parts(choice: PredictionChoice, name: string, known = {}): Promise<AskedPart[]> {
  const found: AskedPart[] = [];
  for await (const part of askedParts(choice, model(name), known, {
    input: undefined,
    batch: 2,
    file: "model.onnx",
  }))
    found.push(part);
  return found;
}

describe("data without labels", () => {
  it("are the arrays of NumPy's archives and of its bare arrays", async () => {
    for (const file of ["rows.npz", "rows.npy"]) {
      const [part] = await parts({ dataFile: join(cases, file) }, "softmax");
      expect(part?.examples).toMatchObject({ count: 7, shape: [4] });
      expect(Array.from(part?.examples.inputs ?? [])).toEqual(expected.rows);
      expect(part?.rows[6]).toEqual([["index", 6]]);
    }
    await expect(parts({ dataFile: join(cases, "rows.npz"), arrays: ["y"] }, "softmax")).rejects.toThrow(
      "no array 'y', received 'x'",
    );
  });

  it("are pictures in flat folders and in those inside, a part at a time, in the model's size", async () => {
    const [first, second, ...more] = await parts({ dataDir: join(cases, "pictures") }, "pixels");
    expect(more).toEqual([]);
    expect(first?.rows).toEqual([[["file", "a.png"]], [["file", "b.png"]]]);
    expect(second?.rows).toEqual([[["file", "inside/c.png"]]]);
    expect(first?.examples).toMatchObject({ count: 2, shape: [1, 4, 4] });
    expect([...(second?.examples.inputs ?? [])]).toEqual(Array.from({ length: 16 }, () => 220));
  });

  it("are tables without the target, whose columns the model knows, whatever else they have", async () => {
    const columns = [
      { name: "color", kind: "category", categories: ["blue", "green", "red"] },
      { name: "size", kind: "number" },
    ] as const;
    for (const name of ["new.csv", "new.jsonl"]) {
      const [part] = await parts({ dataFile: join(cases, name) }, "softmax", { columns });
      expect(part?.examples).toMatchObject({ count: 9, shape: [4] });
      expect([...(part?.examples.inputs ?? [])].slice(0, 4)).toEqual([1, 0, 0, Math.fround(0.126)]);
      expect(part?.rows[0]).toEqual([
        ["id", "n0"],
        ["size", "0.126"],
        ["color", "blue"],
        ["note", 'says "hello", twice'],
      ]);
    }
  });
});

describe("rows of predictions", () => {
  const said = {
    kind: "class",
    label: 1,
    className: "b",
    probabilities: Float32Array.of(0.1, 0.7, 0.2),
  } as const;
  const own = [["prediction", 'a "quoted", one'] as const, ["n", "7"] as const];

  it("keep the example's own columns, and take other names where these have theirs", () => {
    const writer = new RowWriter({ format: "csv", classNames: ["a", "b", "c"] });
    const text = writer.row(own, { ...said, index: 0 }) + writer.row(own, { ...said, index: 1 });
    const { header, rows } = parseCsv({ name: "t.csv", bytes: new TextEncoder().encode(text) });
    expect(header).toEqual([
      ...["prediction", "n", "model_prediction", "probability_a", "probability_b", "probability_c"],
    ]);
    expect(rows).toEqual(Array.from({ length: 2 }, () => ['a "quoted", one', "7", "b", "0.1", "0.7", "0.2"]));
    expect(writer.rows).toBe(2);
  });

  it("have the likeliest classes, lists at positions, and values, as JSON", () => {
    const rows = (options: object, ...all: Parameters<RowWriter["row"]>) =>
      JSON.parse(new RowWriter({ format: "jsonl", ...options }).row(...all));
    expect(rows({ top: 2 }, own, { ...said, index: 0 })).toEqual({
      prediction: 'a "quoted", one',
      n: 7,
      model_prediction: 1,
      probabilities: [
        { class: 1, probability: 0.7 },
        { class: 2, probability: 0.2 },
      ],
    });
    const positions = { kind: "positions", labels: Int32Array.of(1, 0), shape: [2] } as const;
    const probabilities = Float32Array.of(0.25, 0.75, 0.5, 0.5);
    expect(rows({ classNames: ["x", "y"] }, [], { ...positions, probabilities, index: 0 })).toEqual({
      prediction: ["y", "x"],
      probability: [0.75, 0.5],
    });
    expect(rows({}, [], { kind: "values", shape: [1], values: Float32Array.of(0.1), index: 0 })).toEqual({
      prediction: 0.1,
    });
    expect(() => rows({ top: 1 }, [], { ...positions, probabilities, index: 0 })).toThrow("--top goes with");
  });
});

describe("forwardgrad predict", { timeout: 60_000 }, () => {
  it("writes what a run's model says of a new table, names a bad row, and replaces nothing", () => {
    const cwd = temporaryFolder();
    const train = ["train", "--data", "csv", "--data-file", join(cases, "train.csv"), "--target", "price"];
    const course = [
      "--loss",
      "mean-squared-error",
      "--ignore-columns",
      "kind",
      "--steps",
      "60",
      "--hidden",
      "16",
    ];
    expect(run([...train, ...course, "--out", "prices"], { cwd }).status).toBe(0);
    const asked = ["predict", "prices", "--data-file", join(cases, "new.csv"), "-o", "out.csv"];
    const { status, stderr } = run(asked, { cwd });
    expect(stderr).toContain("out.csv: 9 rows");
    expect(status).toBe(0);
    const { header, rows } = parseCsv({ name: "out.csv", bytes: readFileSync(join(cwd, "out.csv")) });
    expect(header).toEqual(["id", "size", "color", "note", "prediction"]);
    expect(rows).toHaveLength(9);
    for (const row of rows) expect(Math.abs(Number(row[4]) - 10)).toBeLessThan(12);
    expect(run(asked, { cwd }).stderr).toMatch(/out\.csv exists .*\(--overwrite\)/);
    writeFileSync(join(cwd, "bad.csv"), "size,color\n1,red\n2,violet\n");
    const bad = run(["predict", "prices", "--data-file", "bad.csv", "-o", "bad-out.csv"], { cwd });
    expect(bad.status).toBe(1);
    expect(bad.stderr).toContain("bad.csv: row 3, column 'color': 'violet' is new");
    expect(existsSync(join(cwd, "bad-out.csv"))).toBe(false);
  });
});
