import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { encode } from "fast-png";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import golden from "../src/data/files.golden.json" with { type: "json" };
import { lastJson, run, temporaryFolder } from "./cli.ts";

const folder = temporaryFolder();
const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"));
const quick = ["--hidden", "8", "--batch", "8", "--threads", "1", "--json"];
const regression = ["--loss", "mean-squared-error"];

/** Writes a file below the test's folder, and returns its path. */
function file(path: string, content: Uint8Array | string): string {
  const target = join(folder, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, content);
  return target;
}

/** Runs the tool, which must fail with this exit code, name what is wrong, and show no stack trace. */
function fails(args: readonly string[], status: number, ...parts: (string | RegExp)[]) {
  const result = run(args, { cwd: folder });
  for (const part of parts) expect(result.stderr).toMatch(part);
  expect(result.stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
  expect(result.status, result.stderr).toBe(status);
  expect(existsSync(join(folder, "none", "config.json"))).toBe(false);
}

const train = (...args: string[]) => ["train", ...quick, "--out", "none", ...args];

function succeeds(args: readonly string[]) {
  const result = run(args, { cwd: folder });
  expect(result.status, result.stderr).toBe(0);
  return { ...result, json: lastJson(result.stdout) };
}

const rows = Array.from({ length: 200 }, (_, at) => {
  const [size, color] = [((at * 61) % 97) / 10, ["red", "green", "blue"][at % 3] as string];
  return {
    size,
    color,
    price: 40 * size + (color === "red" ? 500 : 0) + 1000,
    kind: size > 4.5 ? "large" : "small",
  };
});
const csv = (list: typeof rows) =>
  `size,color,price,kind\n${list.map(({ size, color, price, kind }) => `${size},${color},${price},${kind}`).join("\n")}\n`;
const housesText = csv(rows);
const houses = file("houses.csv", housesText);

describe("csv", () => {
  it("trains a classifier, whose file knows columns and classes", async () => {
    const out = join(folder, "kinds");
    const flags = ["--data", "csv", "--data-file", houses, "--target", "kind", "--ignore-columns", "price"];
    const { json, stderr } = succeeds(["train", ...quick, ...flags, "--epochs", "60", "--out", out]);
    expect(stderr).toContain(
      "csv: 160 examples to train on, 40 to test on; inputs [4], 2 classes: large, small",
    );
    expect(json.testAccuracy).toBeGreaterThan(0.9);
    const same = succeeds(["eval", join(out, "model.onnx"), ...flags, "--json"]).json;
    expect(same).toMatchObject({ testAccuracy: json.testAccuracy, testLoss: json.testLoss, examples: 40 });
    // A file with its columns in another order, one color alone, and one more column.
    const few = rows.filter(({ color }) => color === "green");
    const other = file(
      "other.csv",
      `kind;extra;color;size\n${few.map(({ size, color, kind }) => `${kind};x;${color};${size}`).join("\n")}`,
    );
    const model = join(out, "model.onnx");
    const evalOther = [
      "eval",
      model,
      "--data",
      "csv",
      "--data-file",
      other,
      "--target",
      "kind",
      "--test-fraction",
      "1",
    ];
    const measured = succeeds([...evalOther, "--json"]).json;
    const session = await ort.InferenceSession.create(readFileSync(model));
    const inputs = Float32Array.from(few.flatMap(({ size }) => [size, 0, 1, 0]));
    const { logits } = await session.run({ input: new ort.Tensor("float32", inputs, [few.length, 4]) });
    const data = (logits as ort.Tensor).data as Float32Array;
    const correct = few.filter(
      ({ kind }, at) => (data[2 * at] as number) > (data[2 * at + 1] as number) === (kind === "large"),
    );
    expect(measured).toMatchObject({ examples: few.length, testAccuracy: correct.length / few.length });
    file("other.csv", readFileSync(other, "utf8").replace("green", "pink"));
    fails(evalOther, 1, "other.csv: row 2, column 'color': 'pink' is new, expected one of blue, green, red");
  });

  it("trains a regression in the target's own units, and counts its loss in units of their variance", async () => {
    const out = join(folder, "prices");
    const test = file("test.csv", csv(rows.slice(0, 30)));
    const flags = [
      "--data",
      "csv",
      "--data-file",
      houses,
      "--target",
      "price",
      "--test-file",
      test,
      ...regression,
    ];
    const { json } = succeeds([
      "train",
      ...quick,
      ...flags,
      "--ignore-columns",
      "kind",
      "--epochs",
      "60",
      "--out",
      out,
    ]);
    expect(json.testLoss).toBeLessThan(0.1);
    expect(json).not.toHaveProperty("testAccuracy");
    expect(json.testR2).toBeGreaterThan(0.9);
    const session = await ort.InferenceSession.create(readFileSync(join(out, "model.onnx")));
    const colors = ["blue", "green", "red"];
    const inputs = Float32Array.from(
      rows.slice(0, 30).flatMap(({ size, color }) => [size, ...colors.map((name) => Number(name === color))]),
    );
    const { logits } = await session.run({ input: new ort.Tensor("float32", inputs, [30, 4]) });
    const mean = rows.reduce((sum, { price }) => sum + price, 0) / rows.length;
    const variance = rows.reduce((sum, { price }) => sum + (price - mean) ** 2, 0) / rows.length;
    const errors = rows
      .slice(0, 30)
      .map(({ price }, at) => ((logits as ort.Tensor).data[at] as number) - price);
    const loss = errors.reduce((sum, error) => sum + error ** 2, 0) / 30 / variance;
    expect(Math.abs((json.testLoss as number) / loss - 1)).toBeLessThan(1e-3);
    const measured = succeeds(["eval", join(out, "model.onnx"), ...flags, "--json"]).json;
    expect(measured.testLoss).toBe(json.testLoss);
  });

  it("says what is wrong, where, and what to do", () => {
    const data = (text: string, ...more: string[]) =>
      train("--data", "csv", "--data-file", file("bad.csv", text), "--target", "kind", ...more);
    fails(
      data(housesText.replace("6.1,", ",")),
      1,
      "bad.csv: row 3, column 'size': the value is missing",
      "--ignore-columns size",
    );
    fails(data(housesText.replace("6.1,", "6.1,7,")), 1, "row 3 has 5 fields, expected 4");
    fails(
      data(housesText, "--target", "kinds"),
      1,
      "no column 'kinds', expected one of size, color, price, kind",
      "--target",
    );
    fails(
      data(housesText, "--target", "price", "--ignore-columns", "kind"),
      1,
      "the target holds",
      "--loss mean-squared-error",
    );
    fails(data(housesText, "--test-file", "nowhere.csv"), 1, "nowhere.csv: no such file", "--test-file");
    writeFileSync(join(folder, "image.csv"), bytesOf(golden.images.png.color.file));
    fails(
      train("--data", "csv", "--data-file", "image.csv", "--target", "kind"),
      1,
      "image.csv: the file",
      "UTF-8",
    );
  });
});

describe("what others' programs write", () => {
  const cases = resolve("test/cases");

  it("is read with warnings on stderr, and refused with the flag that helps", () => {
    const { stderr, json } = succeeds([
      ...["train", ...quick, "--steps", "2", "--out", "times", "--test-fraction", "0.4"],
      ...["--data", "csv", "--data-file", join(cases, "tables/times.csv"), "--target", "kind"],
    ]);
    expect(stderr).toMatch(/warning: times\.csv: row 2, column 't'.*the same number for 32-bit floats/);
    expect(json).toMatchObject({ steps: 2 });
    const iris = ["--data", "csv", "--data-file", join(cases, "tables/headless-iris.csv"), "--target", "5"];
    fails(train(...iris), 1, "row 1 holds values such as '5.1'", "--no-header");
    const read = succeeds(["train", ...quick, "--steps", "2", "--out", "iris", ...iris, "--no-header"]);
    expect(read.stderr).toContain("inputs [4], 2 classes: Iris-setosa, Iris-versicolor");
    fails(
      train("--data", "csv", "--data-file", join(cases, "tables/ambiguous.csv"), "--target", "kind"),
      1,
      "'1,234' is 1234 or 1.234",
      "--decimal comma",
    );
    const huge = ["--data", "npz", "--data-file", join(cases, "numpy-files/label.npz")];
    fails(train(...huge), 1, "1,000,000,001 classes", "--limit classes=N");
    fails(train(...huge, "--limit", "unpackedBytes=10"), 1, "'x' unpacks to", "unpackedBytes is 10");
    fails(train("--ignore-orientation"), 1, "--ignore-orientation goes with --data images");
  });
});

describe("images", () => {
  const picture = (at: number, width = 6) => {
    const isRed = at % 2 === 0;
    const data = Uint8Array.from({ length: 18 * width }, (_, place) =>
      place % 3 === (isRed ? 0 : 2) ? 200 - ((at * place) % 50) : (at * place * 7) % 90,
    );
    return encode({ width, height: 6, channels: 3, depth: 8, data });
  };
  for (let at = 0; at < 60; at++) file(`photos/${at % 2 === 0 ? "red" : "blue"}/${at}.png`, picture(at));
  const flags = ["--data", "images", "--data-dir", "photos"];

  it("train a classifier, also with augmentation and resizing", () => {
    const { json, stderr } = succeeds([
      "train",
      ...quick,
      ...flags,
      "--epochs",
      "10",
      "--augment",
      "crop:1,flip",
      "--out",
      "colors",
    ]);
    expect(stderr).toContain(
      "images: 48 examples to train on, 12 to test on; inputs [3, 6, 6], 2 classes: blue, red",
    );
    expect(json.testAccuracy).toBe(1);
    const measured = succeeds(["eval", "colors/model.onnx", ...flags, "--json", "--test-fraction", "1"]).json;
    expect(measured).toMatchObject({ testAccuracy: 1, examples: 60 });
    file("more/red/1.png", picture(0));
    file("more/green/1.png", picture(1));
    fails(
      ["eval", "colors/model.onnx", "--data", "images", "--data-dir", "more"],
      1,
      "green/1.png",
      "expected one of blue, red",
    );
    const small = ["--image-size", "4x5", "--steps", "3", "--out", "small"];
    expect(succeeds(["train", ...quick, ...flags, ...small]).stderr).toContain("inputs [3, 4, 5]");
  });

  it("say what is wrong, in which file, and what to do", () => {
    const bad = (name: string, content: Uint8Array | string, ...parts: (string | RegExp)[]) => {
      const path = `bad-${name.replaceAll(/\W/g, "-")}`;
      for (let at = 0; at < 4; at++) file(`${path}/${at % 2 === 0 ? "red" : "blue"}/${at}.png`, picture(at));
      file(`${path}/${name}`, content);
      fails(train("--data", "images", "--data-dir", path), 1, name, ...parts);
    };
    bad("red/9.png", picture(1).subarray(0, 60), "truncated or damaged", "get the file again");
    bad("red/8.png", picture(1, 7), "6×7 pixels", "expected 6×6", "--image-size");
    bad("red/7.png", "text", "the file is no image", "expected PNG or JPEG");
    file("empty/notes.txt", "");
    fails(train("--data", "images", "--data-dir", "empty"), 1, "no PNG or JPEG images", "--data-dir");
  });
});

describe("npz", () => {
  const path = file("small.npz", bytesOf(golden.numpy.npz.compressed));

  it("trains on NumPy's arrays", () => {
    const { json, stderr } = succeeds([
      ...["train", "--hidden", "4", "--threads", "1", "--json", "--data", "npz", "--data-file", path],
      ...["--batch", "2", "--steps", "3", "--out", "arrays"],
    ]);
    expect(stderr).toContain("npz: 5 examples to train on, 2 to test on; inputs [2, 2], 3 classes");
    expect(json.steps).toBe(3);
    const loud = join(import.meta.dirname, "cases", "numpy-files", "times.npz");
    const warned = run(train("--data", "npz", "--data-file", loud, "--steps", "1", "--out", "times"), {
      cwd: folder,
    });
    expect(warned.stderr).toMatch(/^warning: times\.npz: /m);
    const own = ["--arrays", "x_test,y_test", "--test-fraction", "1", "--json"];
    const measured = succeeds([
      "eval",
      "arrays/model.onnx",
      "--data",
      "npz",
      "--data-file",
      path,
      ...own,
    ]).json;
    expect(measured).toMatchObject({ examples: 2, testAccuracy: json.testAccuracy, testLoss: json.testLoss });
    expect(succeeds(["eval", "arrays", "--json"]).json).toMatchObject({
      examples: 2,
      testAccuracy: json.testAccuracy,
      testLoss: json.testLoss,
    });
    // Where a run does not know its data, glyphs stand for them, and are not what it was tested on.
    rmSync(join(folder, "arrays", "report.json"));
    fails(["eval", "arrays"], 1, "arrays/model.onnx was tested on other examples", "--data");
  });

  it("says what is wrong, in which array, and what to do", () => {
    const data = (name: string, content: Uint8Array, ...more: string[]) =>
      train("--data", "npz", "--data-file", file(name, content), ...more);
    const whole = bytesOf(golden.numpy.npz.stored);
    fails(data("cut.npz", whole.subarray(0, 700)), 1, "cut.npz: truncated or damaged");
    const flipped = whole.slice();
    const at = 150;
    flipped[at] = (flipped[at] as number) ^ 16;
    fails(data("flipped.npz", flipped), 1, "flipped.npz:");
    fails(
      data("named.npz", whole, "--arrays", "x_train,labels"),
      1,
      "no array 'labels'",
      "'y_train' int64 [5]",
      "--arrays",
    );
    fails(
      data("tested.npz", whole, "--arrays", "x_test,y_test", "--test-fraction", "1"),
      1,
      "--data npz: all 2 examples are there to test on, expected some to train on",
    );
  });
});

describe("datasets by name", () => {
  const sample = resolve("../shared/data/cifar-10-sample");

  it.skipIf(!existsSync(sample))("cifar10 trains on the sample of real images, with augmentation", () => {
    const flags = [
      "--data",
      "cifar10",
      "--data-dir",
      sample,
      "--augment",
      "crop:4,flip",
      "--steps",
      "20",
      "--lr",
      "0.01",
    ];
    const { json } = succeeds(["train", ...quick, ...flags, "--out", "cifar"]);
    expect(json).toMatchObject({ steps: 20 });
    expect(JSON.parse(readFileSync(join(folder, "cifar", "config.json"), "utf8"))).toMatchObject({
      augment: { crop: 4, flip: true },
    });
    expect(
      succeeds(["eval", "cifar/model.onnx", "--data", "cifar10", "--data-dir", sample, "--json"]).json,
    ).toMatchObject({
      testAccuracy: json.testAccuracy,
      examples: 2000,
    });
  });

  it("with damaged or missing files say which", () => {
    const data = (name: string, files: Record<string, Uint8Array>) => {
      const path = `${name}-${Object.keys(files).length}-${Math.random().toString(36).slice(2)}`;
      for (const [entry, content] of Object.entries({ "notes.txt": new Uint8Array(), ...files }))
        file(`${path}/${entry}`, content);
      return train("--data", name, "--data-dir", path);
    };
    const record = (label: number) => Uint8Array.of(label, ...new Uint8Array(3072));
    const good = { "data_batch_1.bin": record(3), "test_batch.bin": record(4) };
    fails(
      data("cifar10", { ...good, "test_batch.bin": record(4).subarray(1) }),
      1,
      "test_batch.bin",
      "3072 bytes",
    );
    fails(
      data("cifar10", { "cifar-10-binary.tar.gz": new Uint8Array(gzipSync("no archive")) }),
      1,
      "tar archive",
    );
    const mat = bytesOf(golden.mat.svhn.file);
    fails(data("svhn", { "train_32x32.mat": mat.subarray(0, 2000) }), 1, "train_32x32.mat", "truncated");
  });
});

describe("flags", () => {
  it("that make no sense are answered with what does", () => {
    fails(train("--data", "mnits"), 2, "Did you mean mnist");
    fails(train("--augment", "crop"), 2, "crop:4");
    fails(train("--image-size", "0"), 2, "for example 32 or 24x32");
    fails(train("--test-fraction", "0"), 2, "above 0 and at most 1");
    fails(train("--target", "price"), 1, "--target goes with --data csv, received --data glyphs");
    fails(train("--data", "csv", "--data-file", houses), 1, "--data csv needs --target COLUMN");
    fails(
      train("--data", "csv", "--data-file", houses, "--target", "kind", "--augment", "flip"),
      1,
      "changes images",
      "--augment",
    );
  });
});
