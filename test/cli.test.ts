import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import * as ort from "onnxruntime-node";
import { beforeAll, describe, expect, it } from "vitest";
import { glyphs } from "../src/data/sets/glyphs.ts";
import { encodeGraph } from "../src/onnx/encode.ts";
import { float32 } from "../src/onnx/tensor.ts";
import { GraphBuilder } from "../src/ops/full-builder.ts";
import { cli, lastJson, run, temporaryFolder } from "./cli.ts";
import { canMount, mountDisk, unmount } from "./small-disk.ts";

const folder = temporaryFolder();
const quick = ["train", "--hidden", "16", "--steps", "30", "--threads", "1"];
const model = join(folder, "first", "model.onnx");
let first: ReturnType<typeof run>;

beforeAll(() => {
  first = run([...quick, "--out", join(folder, "first"), "--json"]);
});

/** Runs the tool, which must fail with this exit code, name what is wrong, and show no stack trace. */
function fails(args: readonly string[], status: number, ...parts: (string | RegExp)[]) {
  const result = run(args, { cwd: folder });
  for (const part of parts) expect(result.stderr).toMatch(part);
  expect(result.stderr).not.toMatch(/\n\s+at .*:\d+:\d+/);
  expect(result.status, result.stderr).toBe(status);
}

describe("train and eval", () => {
  it("leave a model that a bare session measures as the run did", async () => {
    expect(first.status, first.stderr).toBe(0);
    const result = lastJson(first.stdout);
    for (const name of [
      "testAccuracy",
      "testLoss",
      "trainLoss",
      "steps",
      "epochs",
      "secondsPerStep",
      "parameters",
      "tangents",
      "model",
    ])
      expect(result, name).toHaveProperty(name);
    expect(result).toMatchObject({
      steps: 30,
      parameters: 784 * 16 + 16 + 16 * 16 * 0 + 16 * 10 + 10,
      tangents: 16,
      model,
    });
    const session = await ort.InferenceSession.create(readFileSync(model));
    const { test } = glyphs();
    let correct = 0;
    for (let start = 0; start < test.count; start += 1000) {
      const pixels = Float32Array.from(
        test.inputs.subarray(start * 784, (start + 1000) * 784),
        (value) => value / 255,
      );
      const { logits } = await session.run({ input: new ort.Tensor("float32", pixels, [1000, 1, 28, 28]) });
      for (let place = 0; place < 1000; place++) {
        const row = [...(logits as ort.Tensor).data.slice(place * 10, place * 10 + 10)] as number[];
        if (row.indexOf(Math.max(...row)) === test.labels[start + place]) correct++;
      }
    }
    expect(correct / test.count).toBe(result.testAccuracy);
    const measured = run(["eval", model, "--json"]);
    expect(lastJson(measured.stdout)).toMatchObject({
      testAccuracy: result.testAccuracy,
      testLoss: result.testLoss,
    });
  });

  it("leave a model that takes raw pixels in any batch", async () => {
    const session = await ort.InferenceSession.create(readFileSync(model));
    const all = Float32Array.from({ length: 64 * 784 }, (_, index) => (index * 0.618) % 1);
    const logits = async (batch: number) => {
      const input = new ort.Tensor("float32", all.slice(0, batch * 784), [batch, 1, 28, 28]);
      return (await session.run({ input })).logits as ort.Tensor;
    };
    const whole = await logits(64);
    expect(whole.dims).toEqual([64, 10]);
    for (const batch of [1, 7]) {
      const some = await logits(batch);
      expect(some.dims).toEqual([batch, 10]);
      const expected = (whole.data as Float32Array).slice(0, batch * 10);
      (some.data as Float32Array).forEach((value, place) => {
        expect(value).toBeCloseTo(expected[place] as number, 4);
      });
    }
  });

  it("train an ONNX file and keep its interface", () => {
    const out = join(folder, "again");
    const result = run([
      "train",
      "--model",
      model,
      "--trainable",
      "layer2",
      "--steps",
      "12",
      "--out",
      out,
      "--json",
    ]);
    expect(result.status, result.stderr).toBe(0);
    expect(lastJson(result.stdout)).toMatchObject({ parameters: 170, steps: 12 });
    const text = run(["inspect", join(out, "model.onnx")]).stdout;
    expect(text.replace(join(out, "model.onnx"), "")).toBe(run(["inspect", model]).stdout.replace(model, ""));
  });

  it("put nothing on stdout but the result", () => {
    expect(first.stdout.trimEnd().split("\n")).toHaveLength(1);
  });
});

describe("inspect", () => {
  it("prints every node with its shape", () => {
    const { status, stdout } = run(["inspect", model]);
    expect(status).toBe(0);
    expect(stdout).toContain("input   input: float32 [batch, 1, 28, 28]");
    expect(stdout).toContain("layer1.weight: float32 [16, 784]");
    expect(stdout).toMatch(/layer1\/Gemm: float32 \[batch, 16\]\s+= Gemm\(/);
    const data = lastJson(run(["inspect", model, "--json"]).stdout) as { nodes: unknown[] };
    expect(data.nodes.length).toBeGreaterThan(4);
  });
});

describe("help", () => {
  it("may be cut short by its reader", () => {
    const { stdout, stderr } = spawnSync(
      "sh",
      ["-c", `"${process.execPath}" "${cli}" train --help | head -n 1`],
      { encoding: "utf8" },
    );
    expect(stdout).toBe("Usage: forwardgrad train [options]\n");
    expect(stderr).toBe("");
  });

  it("shows examples for each command", () => {
    for (const command of ["train", "eval", "inspect", "derive"]) {
      const { status, stdout } = run([command, "--help"]);
      expect(status).toBe(0);
      expect(stdout).toContain("Examples:");
    }
    expect(run(["--version"]).stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
  });
});

describe("wrong usage exits 2", () => {
  it("names the nearest flag, value, command or number", () => {
    fails(["train", "--tangent", "3"], 2, "--tangent", "--tangents");
    fails(["train", "--sampler", "gausian"], 2, "--sampler", "Did you mean gaussian");
    fails(["train", "--aggregate", "projecton"], 2, "Did you mean projection");
    fails(["trian"], 2, "Did you mean train");
    fails(["train", "--tangents", "many"], 2, "whole number from 1");
    fails(["train", "--lr", "-1"], 2, "number above 0");
    fails(["train", "--momentum", "1"], 2, "0 to below 1");
    fails(["train", "--hidden", "12,,4"], 2, "whole number");
    fails(["train", "--trainable", "("], 2, "regular expression");
    fails(["derive", model], 2, "--output");
    fails(["derive", model, "--dim", "x", "-o", "y.onnx"], 2, "NAME=N");
    fails(["eval"], 2, "model.onnx");
    fails([], 2, "Usage");
  });
});

describe("bad files exit 1 and name the file", () => {
  const bytes = () => readFileSync(model);
  const file = (name: string, content: Uint8Array) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };

  it("missing ones", () => {
    fails(["train", "--data", "mnist", "--data-dir", "nowhere"], 1, /nowhere.*no such folder/, "--data-dir");
    fails(["eval", "nowhere.onnx"], 1, "nowhere.onnx", "check the path");
    fails(["train", "--model", "nowhere.onnx", "--out", join(folder, "none")], 1, "nowhere.onnx");
    fails(["train", "--model", "mpl", "--out", join(folder, "none")], 1, "did you mean mlp");
  });

  it("damaged models", () => {
    fails(
      [
        "inspect",
        file(
          "random.onnx",
          Uint8Array.from({ length: 999 }, (_, index) => (index * 131) % 251),
        ),
      ],
      1,
      "random.onnx",
    );
    fails(["inspect", file("empty.onnx", new Uint8Array())], 1, "empty.onnx", "not an ONNX model");
    for (const part of [0.1, 0.5, 0.9, 0.999]) {
      const path = file("short.onnx", bytes().subarray(0, Math.floor(bytes().length * part)));
      fails(["inspect", path], 1, "short.onnx");
    }
  });

  it("graphs that make no sense", () => {
    const g = new GraphBuilder("odd");
    const x = g.input("x", "float32", [2, 3]);
    const graph = g.build({ y: g.relu(g.add(x, g.parameter("w", float32([1, 2, 3])))) });
    const [add, ...rest] = graph.nodes;
    if (!add) throw new Error("no node");
    const cycle = { ...graph, nodes: [{ ...add, inputs: ["y", "w"] }, ...rest] };
    fails(["inspect", file("cycle.onnx", encodeGraph(cycle))], 1, "cycle.onnx", "cycle through", "Add");
    const missing = { ...graph, nodes: [{ ...add, inputs: ["ghost", "w"] }, ...rest] };
    fails(["inspect", file("missing.onnx", encodeGraph(missing))], 1, "missing.onnx", "'ghost'", "Add");
    const derive = (path: string) => ["derive", path, "--batch", "2", "-o", "out.onnx"];
    const foreign = { ...graph, nodes: [{ ...add, op: "DeformConv" }, ...rest] };
    fails(
      derive(file("foreign.onnx", encodeGraph(foreign))),
      1,
      "DeformConv",
      "not supported",
      "ai.onnx",
      "opset 24",
    );
    const vendor = { ...graph, nodes: [{ ...add, op: "FusedThing", domain: "com.microsoft" }, ...rest] };
    fails(
      derive(file("vendor.onnx", encodeGraph(vendor))),
      1,
      "FusedThing",
      "com.microsoft",
      "without fusions",
    );
    fails(["inspect", file("old.onnx", encodeGraph({ ...graph, opset: 6 }))], 1, "opset 6", "7 to 24");
    fails(["inspect", file("new.onnx", encodeGraph({ ...graph, opset: 99 }))], 1, "opset 99");
    const vast = { ...graph, inputs: [{ ...x, shape: [2_000_000, 2_000_000] }], values: graph.values };
    fails(derive(file("vast.onnx", encodeGraph(vast))), 1, "vast.onnx", "GiB", "smaller");
    fails(["derive", model, "--batch", "100000000000", "-o", "out.onnx"], 1, "GiB", "smaller");
    expect(existsSync(join(folder, "out.onnx"))).toBe(false);
  });

  it("damaged MNIST files", () => {
    const images = (count: number, magic = 0x803) => idx([magic, count, 28, 28], count * 784);
    const labels = (count: number, value: (index: number) => number = (index) => index % 10) =>
      idx([0x801, count], count, value);
    const names = [
      "train-images-idx3-ubyte",
      "train-labels-idx1-ubyte",
      "t10k-images-idx3-ubyte",
      "t10k-labels-idx1-ubyte",
    ];
    const good = [images(200), labels(200), images(50), labels(50)].map(
      (content) => new Uint8Array(gzipSync(content)),
    );
    const data = (changes: Record<number, Uint8Array>) => {
      const path = join(folder, `mnist-${Math.random().toString(36).slice(2)}`);
      mkdirSync(path);
      names.forEach((name, index) => {
        writeFileSync(join(path, `${name}.gz`), changes[index] ?? (good[index] as Uint8Array));
      });
      return [...quick, "--data", "mnist", "--data-dir", path, "--batch", "16", "--out", join(path, "run")];
    };
    expect(run(data({})).status).toBe(0);
    const zipped = good[0] as Uint8Array;
    const flipped = zipped.slice();
    flipped[Math.floor(flipped.length / 2)] = (flipped[Math.floor(flipped.length / 2)] as number) ^ 4;
    fails(data({ 0: zipped.subarray(0, zipped.length - 40) }), 1, "train-images-idx3-ubyte");
    fails(data({ 0: flipped }), 1, "train-images-idx3-ubyte");
    fails(data({ 0: new Uint8Array(gzipSync(images(200).subarray(0, 5000))) }), 1, "train-images-idx3-ubyte");
    fails(data({ 2: new Uint8Array(gzipSync(images(50, 0xd03))) }), 1, "t10k-images-idx3-ubyte", /magic/);
    fails(
      data({ 1: new Uint8Array(gzipSync(labels(200, (index) => (index === 77 ? 11 : index % 10)))) }),
      1,
      "77",
      "11",
      "label",
    );
    fails(data({ 1: new Uint8Array(gzipSync(labels(199))) }), 1, "199", "200");
  });

  function idx(
    header: readonly number[],
    count: number,
    value: (index: number) => number = (index) => (index * 37) % 256,
  ) {
    const content = Buffer.alloc(4 * header.length + count);
    for (const [index, number] of header.entries()) content.writeUInt32BE(number, 4 * index);
    for (let index = 0; index < count; index++) content[4 * header.length + index] = value(index);
    return new Uint8Array(content);
  }
});

describe("folders", () => {
  it("that hold another run are left alone", () => {
    const before = readFileSync(model);
    fails([...quick, "--out", join(folder, "first")], 1, "already holds a run", "--resume", "--out");
    fails(
      [...quick, "--tangents", "8", "--resume", "--out", join(folder, "first")],
      1,
      "tangents was 16, now 8",
    );
    fails(
      [...quick, "--threads", "2", "--resume", "--out", join(folder, "first")],
      1,
      "threads was 1, now 2",
      "--allow-changes",
    );
    expect(
      run([...quick, "--threads", "2", "--resume", "--allow-changes", "--out", join(folder, "first")]).status,
    ).toBe(0);
    expect(readFileSync(model).equals(before)).toBe(true);
  });

  it("with a damaged checkpoint go on from the one before, and say so where none is left", () => {
    const out = join(folder, "damaged");
    expect(run([...quick, "--out", out]).status).toBe(0);
    const before = readFileSync(join(out, "model.onnx"));
    const paths = ["state.safetensors", "state-2.safetensors"].map((name) => join(out, "checkpoint", name));
    const flip = (path: string) => {
      const content = readFileSync(path);
      const at = Math.floor(content.length / 2);
      content[at] = (content[at] as number) ^ 1;
      writeFileSync(path, content);
      return content;
    };
    for (const path of paths) {
      const whole = readFileSync(path);
      flip(path);
      const { status, stderr } = run([...quick, "--out", out, "--resume"]);
      expect(status, stderr).toBe(0);
      expect(stderr).toContain(`${path} does not match its own checksum`);
      expect(readFileSync(join(out, "model.onnx")).equals(before)).toBe(true);
      writeFileSync(path, whole);
    }
    const contents = paths.map(flip);
    fails([...quick, "--out", out, "--resume"], 1, "state.safetensors", "state-2.safetensors", "checksum");
    for (const [index, path] of paths.entries())
      writeFileSync(path, (contents[index] as Buffer).subarray(0, 100));
    fails(
      [...quick, "--out", out, "--resume"],
      1,
      "state.safetensors",
      "model.onnx is the model as it was saved",
    );
    expect(existsSync(join(out, "model.onnx"))).toBe(true);
  });

  it("that cannot be written to say so", () => {
    writeFileSync(join(folder, "file"), "x");
    fails([...quick, "--out", join(folder, "file", "run")], 1, "cannot be made", "--out");
    fails(["derive", model, "--batch", "2", "-o", "/proc/nowhere/out.onnx"], 1, "/proc/nowhere");
  });

  it.skipIf(!canMount())("on a full disk keep what was there, and on a read-only one say so", () => {
    const disk = join(folder, "disk");
    mkdirSync(disk);
    mountDisk(disk, "510k");
    try {
      // Two checkpoints (104 KB each with their last good state), a third one on its way, the model and its report (100 KB) fit;
      // the filler leaves no room for another run.
      const out = join(disk, "run");
      expect(run([...quick, "--out", out]).status).toBe(0);
      const kept = readFileSync(join(out, "model.onnx"));
      writeFileSync(join(disk, "filler"), new Uint8Array(80_000));
      fails([...quick, "--seed", "1", "--out", join(disk, "other")], 1, "disk is full", "--resume");
      expect(readFileSync(join(out, "model.onnx")).equals(kept)).toBe(true);
      spawnSync("mount", ["-o", "remount,ro", disk]);
      fails([...quick, "--out", join(disk, "third")], 1, "third", "--out");
    } finally {
      unmount(disk);
    }
  });
});

describe("divergence", () => {
  it("stops with the setting to lower, exits 1, and keeps the last good state", () => {
    const out = join(folder, "diverged");
    fails(
      ["train", "--hidden", "16", "--lr", "1e6", "--steps", "200", "--out", out],
      1,
      "diverged",
      "--lr",
      "last good state",
    );
    expect(
      run(["train", "--hidden", "16", "--lr", "1e6", "--steps", "200", "--out", out, "--debug"]).stderr,
    ).toContain("already holds");
  });

  it("shows a stack trace with --debug only", () => {
    expect(run(["eval", "nowhere.onnx", "--debug"]).stderr).toMatch(/\n\s+at /);
  });
});

it("the tool is executable as it was built", () => {
  expect(readFileSync(cli, "utf8").startsWith("#!/usr/bin/env node")).toBe(true);
});
