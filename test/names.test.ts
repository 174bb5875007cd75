/** Names say what a thing is, and files open with what they are for. */
import { readdirSync, readFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const source = resolve(import.meta.dirname, "../src");
const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .map((name) => name.replaceAll("\\", "/"))
  .filter((name) => name.endsWith(".ts"));

/** Words that do not tell what a thing is. */
const vague =
  /^(prepare|prepares|prepared|preparation|progress|partial|partials|room|rooms|place|places|placed)$/;

/** Names that keep such a word, where it is the right one. */
const exempt: readonly { readonly name: RegExp; readonly files: RegExp; readonly because: string }[] = [
  { name: /^Partial$/, files: /./, because: "TypeScript's own type" },
  { name: /^(PartialDerivative|partials?)$/, files: /^ops\//, because: "partial derivatives are called so" },
  { name: /^inPlace$/, files: /./, because: "the idiom for numbers that are written where they lie" },
  { name: /^(progress\w*|reportProgress)$/, files: /^cli\//, because: "shows how far a command has come" },
  {
    name: /^onProgress$/,
    files: /^train\/evaluation\/(evaluate|measure)-model\.ts$/,
    because: "tells how far it has come",
  },
  { name: /^progress$/, files: /^storage\/checkpoint\.ts$/, because: "a key that checkpoint files have" },
];

const wordsOf = (name: string) =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[\s_#$-]+/);

function identifiersIn(name: string): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (node: ts.Node) => {
    if (ts.isIdentifier(node) || ts.isPrivateIdentifier(node)) found.add(node.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(name, readFileSync(join(source, name), "utf8"), ts.ScriptTarget.Latest, true));
  return found;
}

/** Vague names by file, the file's own among them. */
const used = files.flatMap((file) =>
  [basename(file, ".ts"), ...identifiersIn(file)]
    .filter((name) => wordsOf(name).some((word) => vague.test(word)))
    .map((name) => ({ file, name })),
);
const isExempt = ({ file, name }: { readonly file: string; readonly name: string }) =>
  exempt.some((each) => each.name.test(name) && each.files.test(file));

describe("names", () => {
  it("are read word by word", () => {
    expect(wordsOf("placesOf")).toEqual(["places", "of"]);
    expect(wordsOf("replace")).toEqual(["replace"]);
    expect(wordsOf("run-progress")).toEqual(["run", "progress"]);
  });

  it("say what a thing is, in identifiers and names of files", () => {
    expect(used.filter((each) => !isExempt(each))).toEqual([]);
  });

  it("need every exemption", () => {
    for (const { name, files, because } of exempt)
      expect(
        used.some((each) => name.test(each.name) && files.test(each.file)),
        because,
      ).toBe(true);
  });
});

/** Whether a file opens with a comment, or else has few exports, of which the first says what they are for. */
function opens(text: string): boolean {
  if (/^(#!.*\n)?\s*\/\*\*/.test(text)) return true;
  const file = ts.createSourceFile("x.ts", text, ts.ScriptTarget.Latest, true);
  const exports = file.statements.filter(
    (statement) =>
      ts.canHaveModifiers(statement) &&
      ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword),
  );
  const [first] = exports;
  return first !== undefined && exports.length <= 3 && ts.getJSDocCommentsAndTags(first).length > 0;
}

describe("files", () => {
  it("are told by their first lines, or by the docstring of their main export", () => {
    expect(opens('/** Sums. */\nimport a from "a";\nexport const b = a;')).toBe(true);
    expect(opens('import a from "a";\n/** Twice a. */\nexport const b = 2 * a;')).toBe(true);
    expect(opens('import a from "a";\nexport const b = 2 * a;\n/** c */\nexport const c = b;')).toBe(false);
    expect(opens("/* Sums. */\nconst a = 1;")).toBe(false);
  });

  it("open with what they are for", () => {
    const production = files.filter((name) => !name.endsWith(".test.ts"));
    expect(production.length).toBeGreaterThan(300);
    expect(production.filter((name) => !opens(readFileSync(join(source, name), "utf8")))).toEqual([]);
  });
});
