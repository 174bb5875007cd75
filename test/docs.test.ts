import { execFile, execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "./cli.ts";

const root = resolve(import.meta.dirname, "..");
const pages = [
  "README.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

interface Block {
  readonly code: string;
  /** What the page says that it prints. */
  readonly printed: string | undefined;
  /** Relative difference that its numbers may have, from "```text ±20 %"; default: none but a unit of the last digit. */
  readonly tolerance: number;
}

function blocksOf(page: string): Block[] {
  const text = readFileSync(join(root, page), "utf8");
  const pattern = /```ts\n([\s\S]*?)```(?:\s*```text(?: ±(\d+) %)?\n([\s\S]*?)```)?/g;
  return [...text.matchAll(pattern)].map(([, code, percent, printed]) => ({
    code: code as string,
    printed,
    tolerance: Number(percent ?? 0) / 100,
  }));
}

/** A folder in which `forwardgrad` is installed, as a user's is. */
function project(): string {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules", "forwardgrad"), "junction");
  mkdirSync(join(folder, "node_modules", "@types"));
  symlinkSync(join(root, "node_modules/@types/node"), join(folder, "node_modules/@types/node"), "junction");
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  // What programs of the pages read: a model and a table of a user's.
  const texts = join(root, "test/cases/texts");
  mkdirSync(join(folder, "minilm"));
  copyFileSync(join(texts, "encoder.onnx"), join(folder, "minilm/model.onnx"));
  copyFileSync(join(texts, "wordpiece.golden.json"), join(folder, "minilm/tokenizer.json"));
  copyFileSync(join(texts, "reviews.csv"), join(folder, "reviews.csv"));
  return folder;
}

/**
 * Equal but for decimal fractions, which may differ by a unit of their last digit from one kind of CPU to another, or by
 * what the page states: a training run amplifies last bits into what another seed would do.
 */
function expectPrinted(actual: string, expected: string, tolerance: number) {
  const shape = (text: string) => text.trim().replace(/\d+\.\d+/g, "#");
  const numbers = (text: string) => text.match(/\d+\.\d+/g) ?? [];
  expect(shape(actual)).toBe(shape(expected));
  for (const [index, number] of numbers(expected).entries()) {
    const unit = 10 ** -(number.split(".")[1]?.length ?? 0);
    const difference = Math.abs(Number(numbers(actual)[index]) - Number(number));
    expect(difference, `${numbers(actual)[index]} for ${number}`).toBeLessThanOrEqual(
      Math.max(tolerance * Number(number), 1.001 * unit),
    );
  }
}

for (const page of pages) {
  const blocks = blocksOf(page);
  if (blocks.length === 0 || page === "docs/design.md") continue;
  describe(page, () => {
    blocks.forEach((block, index) => {
      it(`program ${index + 1} is typed and prints what the page says`, async () => {
        const folder = project();
        const path = join(folder, "program.ts");
        writeFileSync(path, `${block.code}\nexport {};\n`);
        const program = ts.createProgram([path], {
          strict: true,
          exactOptionalPropertyTypes: true,
          noEmit: true,
          target: ts.ScriptTarget.ES2023,
          module: ts.ModuleKind.NodeNext,
          moduleResolution: ts.ModuleResolutionKind.NodeNext,
          lib: ["lib.es2023.d.ts"],
          types: ["node"],
          skipLibCheck: true,
        });
        const problems = ts
          .getPreEmitDiagnostics(program)
          .map((problem) => ts.flattenDiagnosticMessageText(problem.messageText, "\n"));
        expect(problems).toEqual([]);
        const compiled = ts.transpileModule(block.code, {
          compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
        });
        writeFileSync(join(folder, "program.js"), compiled.outputText);
        const { stdout } = await promisify(execFile)(process.execPath, ["program.js"], { cwd: folder });
        expect(block.printed, "each program is followed by what it prints").toBeDefined();
        expectPrinted(stdout, block.printed ?? "", block.tolerance);
      });
    });
  });
}

describe("the package", () => {
  it("works from a tarball in another folder, as a library and as a command", () => {
    const folder = temporaryFolder();
    const npm = (args: string[], cwd: string) =>
      execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
    // Without a fresh build this is refused.
    const [packed] = JSON.parse(
      npm(["pack", "--json", "--ignore-scripts=false", "--pack-destination", folder], root),
    ) as { filename: string; files: { path: string }[] }[];
    expect(packed?.files.map(({ path }) => path)).toEqual(
      expect.arrayContaining([
        "dist/index.js",
        "dist/index.d.ts",
        "dist/node.js",
        "dist/cli.js",
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "docs/library.md",
        "docs/environments.md",
        "examples/train-mlp.mjs",
      ]),
    );
    expect(packed?.files.some(({ path }) => path.startsWith("src/") || path.startsWith("test/"))).toBe(false);
    const installed = join(folder, "node_modules", "forwardgrad");
    mkdirSync(installed, { recursive: true });
    execFileSync("tar", [
      "-xzf",
      join(folder, packed?.filename ?? ""),
      "-C",
      installed,
      "--strip-components=1",
    ]);
    for (const name of readdirSync(join(root, "node_modules")).filter((entry) => !entry.startsWith(".")))
      symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name), "junction");
    mkdirSync(join(folder, "node_modules/.bin"));
    symlinkSync("../forwardgrad/dist/cli.js", join(folder, "node_modules/.bin/forwardgrad"));
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    writeFileSync(
      join(folder, "use.js"),
      'import { mlp } from "forwardgrad";\nimport { nodeRuntime } from "forwardgrad/node";\nconsole.log(mlp({ input: [2], outputs: 2 }).parameters.length, nodeRuntime().threads > 0);\n',
    );
    expect(execFileSync(process.execPath, ["use.js"], { cwd: folder, encoding: "utf8" }).trim()).toBe(
      "6 true",
    );
    expect(npm(["exec", "--no", "--", "forwardgrad", "--version"], folder).trim()).toMatch(/^\d+\.\d+\.\d+$/);
  });

  it("has one version, in package.json and in the changelog", () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    expect(readFileSync(join(root, "CHANGELOG.md"), "utf8")).toContain(`## [${version}]`);
  });
});
