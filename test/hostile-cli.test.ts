import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect, it } from "vitest";
import { printable, printableJson } from "../src/onnx/printable.ts";
import { cli, lastJson, run, temporaryFolder } from "./cli.ts";

const cases = join(import.meta.dirname, "cases/hostile");
const file = (name: string) => join(cases, name);
const data = ["--data", "npz", "--data-file", file("names.npz"), "--arrays", "__proto__,constructor"];
const short = ["--steps", "3", "--batch", "8"];

// What a terminal obeys, what turns the direction of writing, and what is not seen; ends of lines are our own.
const obeyed = /[^\P{C}\n]|[\p{Zl}\p{Zp}]/u;

describe("printable text", () => {
  it("has escapes in place of what a terminal obeys", () => {
    const text = "a\x1b[31mb\n\r\t\u202ec\u2028d\u009be\ud800f\u{e0041}g";
    expect(printable(text)).toBe("a\\x1b[31mb\\n\\r\\t\\u202ec\\u2028d\\x9be\\ud800f\\u{e0041}g");
    expect(printable("größe 中文 θ → ✔")).toBe("größe 中文 θ → ✔");
  });

  it("is shortened where a word or a line is too long", () => {
    expect(printable(`a ${"x".repeat(5000)} b`)).toBe(`a ${"x".repeat(200)}…${"x".repeat(60)} b`);
    expect(printable("word ".repeat(1e6))).toMatch(/ … 4992000 more characters$/);
  });

  it("is the same JSON", () => {
    const value = { "\x1b\u009b": "\u202e\u{e0041}\n" };
    expect(printableJson(value)).not.toMatch(/[^\P{C}]/u);
    expect(JSON.parse(printableJson(value))).toEqual(value);
  });
});

describe("names from files", () => {
  const out = temporaryFolder();
  const names = file("escape-names.onnx");
  const commands: Record<string, { readonly args: readonly string[]; readonly shows: string }> = {
    inspect: { args: ["inspect", names], shows: "w\\x1b[2A\\x1b[K: float32 [5, 4]" },
    "inspect --json": { args: ["inspect", names, "--json"], shows: "\\u001b[2A" },
    "inspect, a damaged file": { args: ["inspect", file("escape-damaged.onnx")], shows: "ghost\\x1b[31mred" },
    "inspect, an unknown op": { args: ["inspect", file("escape-op.onnx")], shows: "Op\\x1b[31mred" },
    train: {
      args: ["train", "--model", names, ...data, ...short, "--out", join(out, "train")],
      shows: "b\\nwarning: all",
    },
    "train, an unknown op": {
      args: ["train", "--model", file("escape-op.onnx"), ...data, ...short, "--out", join(out, "op")],
      shows: "Op\\x1b[31mred",
    },
    "train, a table": {
      args: [
        "train",
        "--data",
        "csv",
        "--data-file",
        file("names.csv"),
        "--target",
        "valueOf",
        ...short,
        "--out",
        join(out, "table"),
      ],
      shows: "\\x1b[31mred",
    },
    eval: { args: ["eval", names, ...data, "--output", "no such"], shows: "out\\r\\x1b[31mred" },
    derive: {
      args: ["derive", names, "--batch", "2", "-o", join(out, "derived.onnx")],
      shows: "--dim width\\x1b[2A",
    },
  };
  it.each(Object.entries(commands))("are escaped: %s", (_, { args, shows }) => {
    const { stdout, stderr } = run(args);
    expect(stdout + stderr).toContain(shows);
    expect(stdout + stderr).not.toMatch(obeyed);
    expect((stdout + stderr).length).toBeLessThan(20_000);
  });

  it("of JavaScript's own are columns, classes and arrays like others", () => {
    const model = join(out, "table/model.onnx");
    const table = ["--data", "csv", "--data-file", file("names.csv"), "--target", "valueOf"];
    const { status, stdout } = run(["eval", model, ...table, "--test-fraction", "1", "--json"]);
    expect(status).toBe(0);
    expect(lastJson(stdout)).toMatchObject({ examples: 30 });
  });
});

describe("a model that is not trusted", () => {
  const inspect = (name: string, ...flags: readonly string[]) => run(["inspect", file(name), ...flags]);
  it("does not hang inspect", () => {
    const { status, stdout, stderr } = inspect("bomb-work.onnx", "--limit", "inspectSeconds=2");
    expect(status).toBe(0);
    expect(stdout).toMatch(/com\.microsoft::CDist.*\(work0, work0/);
    expect(stderr).toMatch(
      /shapes of 42 values are unknown: .*was ended after 2 s \(--limit inspectSeconds=N\)/,
    );
  });

  it("does not take the memory of the machine", () => {
    const { status, stderr } = inspect("bomb-doubling.onnx", "--limit", "inspectBytes=1000000000");
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /shape of 'y' is unknown: .*(was ended at 1,000,000,000 bytes of memory|does not run on)/,
    );
  });

  it("is not run where it asks for more than the limits allow", () => {
    const { status, stdout, stderr } = inspect("bomb-fill.onnx");
    expect(status).toBe(0);
    expect(stdout).toContain("most: int64 [1]");
    expect(stderr).toMatch(/ConstantOfShape node 'boom'.*limit valueBytes/);
    const { status: refused, stderr: why } = inspect("bomb-nesting.onnx", "--limit", "nodes=3");
    expect([refused, why]).toEqual([1, expect.stringMatching(/the limit nodes is 3/)]);
  });
});

describe("streams that break", () => {
  const train = `'${process.execPath}' '${cli}' train ${short.join(" ")} --json`;
  const shell = (command: string) => {
    const cwd = temporaryFolder();
    const { status, stderr } = spawnSync("bash", ["-o", "pipefail", "-c", command], {
      cwd,
      encoding: "utf8",
    });
    const models = readdirSync(cwd, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith("model.onnx"),
    );
    return { status, stderr, models: models.length };
  };
  it.each([
    ["progress to a full disk", `${train} 2>/dev/full`, 0],
    ["everything closed", `${train} >&- 2>&-`, 0],
    ["a reader that has gone", `${train} 2>&1 | true`, 0],
    ["the result to a full disk", `${train} >/dev/full`, 1],
  ])("end nothing but themselves: %s", (_, command, status) => {
    expect(shell(command)).toMatchObject({ status, models: 1 });
  });

  it("are told where a result is lost", () => {
    const { status, stderr } = shell(
      `'${process.execPath}' '${cli}' inspect '${file("names-plain.onnx")}' >/dev/full`,
    );
    expect([status, stderr]).toEqual([1, expect.stringMatching(/stdout could not be written \(ENOSPC/)]);
  });
});

describe("a run", () => {
  it("leaves nothing outside of its own folder", () => {
    const root = temporaryFolder();
    const folders = Object.fromEntries(
      ["home", "tmp", "work", "cache"].map((name) => [name, join(root, name)]),
    );
    for (const folder of Object.values(folders)) mkdirSync(folder);
    const { PATH } = process.env;
    const env = { PATH, HOME: folders.home, TMPDIR: folders.tmp, XDG_CACHE_HOME: folders.cache };
    const { status } = run(["train", ...short, "--out", "own"], { cwd: folders.work, env });
    expect(status).toBe(0);
    const left = readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => relative(root, join(entry.parentPath, entry.name)));
    expect(left.filter((path) => !path.startsWith("work/own/"))).toEqual([]);
    expect(left).toContain("work/own/model.onnx");
  });
});
