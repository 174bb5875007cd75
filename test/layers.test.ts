import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "..");
const source = join(root, "src");

/** Which folders each folder may import from; docs/design.md explains why. */
const allowed: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  Object.entries({
    arrays: "",
    errors: "",
    settings: "",
    limits: "",
    random: "",
    linalg: "",
    metrics: "",
    optim: "",
    charts: "",
    onnx: "limits",
    ops: "onnx limits",
    losses: "ops onnx ad",
    ad: "ops onnx",
    tangents: "random ops ad onnx linalg",
    aggregate: "linalg",
    functions: "ops losses ad onnx random linalg",
    models: "ops losses onnx random",
    storage: "limits onnx",
    data: "random limits storage",
    runtime: "onnx limits",
    objective: "limits onnx random optim ops losses ad data runtime",
    guess: "onnx ops",
    estimate: "onnx random ops ad tangents aggregate guess runtime objective",
    train:
      "limits onnx random linalg metrics optim ops losses ad tangents aggregate guess data runtime objective estimate storage",
    distributed: "onnx random optim ad tangents aggregate data runtime objective estimate storage train",
    search: "random optim storage train",
    reports: "onnx losses data objective runtime storage train metrics charts",
    worker: "onnx data runtime objective storage train distributed",
    studies:
      "onnx random linalg optim ops losses ad tangents aggregate guess functions models data runtime objective estimate " +
      "storage train charts distributed",
  }).map(([folder, others]) => [folder, others.split(" ")]),
);

/** What all may import. */
const everywhere = ["arrays", "errors", "settings"];

/** The only files that may name node:*, an engine, or globals of one platform. */
const platformFiles = [
  /^cli\//,
  /^node\.ts$/,
  /^runtime\/(node|node-realm|web)\.ts$/,
  /^data\/(pictures\/)?node-[a-z-]+\.ts$/,
  /^storage\/node-[a-z-]+\.ts$/,
  /^distributed\/node-[a-z-]+\.ts$/,
  // Vega, which only reports and the command line load.
  /^charts\/vega\.ts$/,
];
/** Engines stay out of everything that a page bundles; train and index see only these files of runtime/. */
const engineFree = ["runtime/runtime.ts", "runtime/probe.ts", "runtime/evaluate.ts"];

const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => name.replaceAll("\\", "/"))
  // AssemblyScript: another language, which scripts/build-kernel.mjs compiles.
  .filter((name) => !/^(random|optim|tangents)\/kernel\//.test(name));
const production = files.filter((name) => !name.endsWith(".test.ts"));
const read = (name: string) => readFileSync(join(source, name), "utf8");
const importsOf = (name: string) =>
  [
    ...read(name).matchAll(
      /(?:^|\n)\s*(?:import|export)\b[^;"']*?from\s*["']([^"']+)["']|import\(["']([^"']+)["']\)|(?:^|\n)import\s+["']([^"']+)["']/g,
    ),
  ].map((match) => (match[1] ?? match[2] ?? match[3]) as string);
const local = (name: string) =>
  importsOf(name)
    .filter((path) => path.startsWith("."))
    .map((path) => relative(source, resolve(source, dirname(name), path)).replaceAll("\\", "/"));

describe("layers", () => {
  it("finds the sources and their imports", () => {
    expect(production.length).toBeGreaterThan(60);
    expect(local("train/train.ts")).toContain("optim/optimizer.ts");
  });

  it("import only what the table allows", () => {
    const wrong: string[] = [];
    for (const name of production) {
      const [folder, ...rest] = name.split("/");
      const permitted = rest.length > 0 ? allowed[folder as string] : undefined;
      if (!permitted) continue;
      for (const target of local(name)) {
        const other = target.split("/")[0] as string;
        // The package's version, which participants of a run compare.
        if (target === "../package.json" && name === "distributed/run/version.ts") continue;
        if (other !== folder && !everywhere.includes(other) && !permitted.includes(other))
          wrong.push(`${name} imports ${target}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it("cover every folder", () => {
    const folders = new Set(
      production.filter((name) => name.includes("/")).map((name) => name.split("/")[0] as string),
    );
    for (const folder of folders)
      if (folder !== "cli") expect(Object.keys(allowed), folder).toContain(folder);
  });

  it("keep Node and engines at the edge", () => {
    const wrong: string[] = [];
    for (const name of production) {
      if (platformFiles.some((pattern) => pattern.test(name))) continue;
      for (const path of importsOf(name))
        if (/^node:|^onnxruntime-|^commander$|^cli-progress$|^vega/.test(path))
          wrong.push(`${name} imports ${path}`);
      if (/\b(process|Buffer|window|document)\./.test(read(name).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "")))
        wrong.push(`${name} uses a platform's global`);
      if (
        /^(objective\/|estimate\/|train\/|search\/|studies\/|(index|onnx|autodiff|data|studies)\.ts)/.test(
          name,
        )
      )
        for (const target of local(name))
          if (target.startsWith("runtime/") && !engineFree.includes(target))
            wrong.push(`${name} imports ${target}`);
    }
    expect(wrong).toEqual([]);
  });

  it("print in one place, which escapes names and outlives broken streams", () => {
    const printing = /\bconsole\.|\bprocess\.(stdout|stderr)\b/;
    const withoutComments = (name: string) => read(name).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, "");
    const wrong = production.filter(
      (name) => name !== "cli/output.ts" && printing.test(withoutComments(name)),
    );
    expect(wrong).toEqual([]);
  });

  it("tell arrays by their kind, not by their realm", () => {
    const wrong = production.filter((name) => /instanceof \w+Array\b/.test(read(name)));
    expect(wrong).toEqual([]);
  });

  it("name options, not the command line's flags, which it puts in itself", () => {
    // Flags of other programs, and a stylesheet's own variables.
    const others = /--(jitless|ignore-scripts|format)\b/g;
    const wrong = files
      .filter((name) => !name.startsWith("cli/") && name !== "charts/page.ts")
      .filter((name) => /(?<![\w-])--[a-z]/.test(read(name).replaceAll(others, "")));
    expect(wrong).toEqual([]);
  });

  it("throw errors that users can tell apart: plain ones only where they are caught and given their class", () => {
    const inner = [
      // Readers, whose callers say which file it is.
      ...[
        "onnx/messages/scan.ts",
        "storage/safetensors.ts",
        "storage/sealed.ts",
        "data/files/python-literal.ts",
      ],
      ...["data/files/gzip.ts", "data/pictures/image.ts", "data/download.ts", "runtime/probe.ts"],
      ...["storage/node-folder-lock.ts", "storage/node-run-folder.ts", "random/kernel.ts"],
      // What cannot happen, but for a mistake of ours.
      ...["onnx/messages/schemas.ts", "runtime/node-realm.ts", "search/search.ts", "estimate/sites/kept.ts"],
      ...["charts/vega.ts", "storage/run-files.ts"],
    ];
    const wrong = production.filter(
      (name) => !name.startsWith("cli/") && !inner.includes(name) && /\bnew Error\(/.test(read(name)),
    );
    expect(wrong).toEqual([]);
  });

  it("have no import cycle", () => {
    const state = new Map<string, "open" | "done">();
    const visit = (name: string, path: readonly string[]): string | undefined => {
      if (state.get(name) === "done") return undefined;
      if (state.get(name) === "open") return [...path, name].join(" → ");
      state.set(name, "open");
      for (const target of local(name)) {
        const cycle = visit(target, [...path, name]);
        if (cycle) return cycle;
      }
      state.set(name, "done");
      return undefined;
    };
    expect(production.map((name) => visit(name, [])).find((cycle) => cycle !== undefined)).toBeUndefined();
  });

  it("keep every folder at 20 files or fewer", () => {
    const sizes = new Map<string, number>();
    for (const name of production) sizes.set(dirname(name), (sizes.get(dirname(name)) ?? 0) + 1);
    const large = [...sizes].filter(([, count]) => count > 20);
    expect(large).toEqual([]);
  });

  it("keep every file at 400 lines or fewer", () => {
    const long = files.filter((name) => read(name).split("\n").length > 401);
    expect(long).toEqual([]);
  });

  it("have tests beside them that are named for them; all others are in test/", () => {
    const tests = files.filter((name) => name.endsWith(".test.ts"));
    expect(tests.length).toBeGreaterThan(50);
    expect(tests.filter((name) => !files.includes(name.replace(".test.ts", ".ts")))).toEqual([]);
  });
});
