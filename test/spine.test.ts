/** The method stays one function, and what it is made of stays small. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";

const folder = resolve(import.meta.dirname, "../src/estimate");
const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
  (name) => name.endsWith(".ts") && !name.endsWith(".test.ts"),
);
const read = (name: string) => readFileSync(join(folder, name), "utf8");

const branches = new Set([
  ...[ts.SyntaxKind.IfStatement, ts.SyntaxKind.ConditionalExpression, ts.SyntaxKind.CaseClause],
  ...[ts.SyntaxKind.ForStatement, ts.SyntaxKind.ForInStatement, ts.SyntaxKind.ForOfStatement],
  ...[ts.SyntaxKind.WhileStatement, ts.SyntaxKind.DoStatement, ts.SyntaxKind.CatchClause],
]);
const choices = new Set([
  ...[ts.SyntaxKind.AmpersandAmpersandToken, ts.SyntaxKind.BarBarToken],
  ts.SyntaxKind.QuestionQuestionToken,
]);

/** Cyclomatic complexity of each function of a text, those inside it apart (McCabe 1976): 1 + its decisions. */
function complexities(name: string, text: string): { readonly name: string; readonly complexity: number }[] {
  const found: { name: string; complexity: number }[] = [];
  const visit = (node: ts.Node, owner: { complexity: number }) => {
    let own = owner;
    if (ts.isFunctionLike(node) && "body" in node && node.body) {
      own = { complexity: 1 };
      const { line } = file.getLineAndCharacterOfPosition(node.getStart());
      found.push(Object.assign(own, { name: `${name}:${line + 1} ${node.name?.getText() ?? ""}` }));
    }
    const isDecision =
      branches.has(node.kind) ||
      (ts.isBinaryExpression(node) && choices.has(node.operatorToken.kind)) ||
      // What may be absent: ?. and defaults.
      (ts.isParameter(node) && node.initializer !== undefined) ||
      (ts.isBindingElement(node) && node.initializer !== undefined) ||
      ("questionDotToken" in node && node.questionDotToken !== undefined);
    if (isDecision) own.complexity++;
    ts.forEachChild(node, (child) => visit(child, own));
  };
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  visit(file, { complexity: 0 });
  return found;
}

describe("estimators", () => {
  it("have functions whose decisions are counted", () => {
    const text =
      "function f(a = 1) { for (const b of a) if (b && a) return b ?? 1; return () => (a ? 1 : 2); }";
    expect(complexities("x", text).map(({ complexity }) => complexity)).toEqual([6, 2]);
  });

  it("have no function of a cyclomatic complexity above 15", () => {
    const all = files.flatMap((name) => complexities(name, read(name)));
    expect(all.length).toBeGreaterThan(60);
    expect(all.filter(({ complexity }) => complexity > 15)).toEqual([]);
  });

  it("ask the aggregator in one place", () => {
    const calls = (pattern: RegExp) =>
      files.flatMap(
        (name) =>
          read(name)
            .match(pattern)
            ?.map(() => name) ?? [],
      );
    expect(calls(/\.aggregate\(/g)).toEqual(["forward-gradient.ts"]);
    expect(calls(/(?<!function |\.)\baggregate\(/g)).toEqual(["forward-gradient.ts"]);
  });

  it("decide sampler, gain and precision of the Gram matrix in one place", () => {
    const uses = (pattern: RegExp) => files.filter((name) => pattern.test(read(name)));
    expect(uses(/\bdefaultSampler\(/)).toEqual(["passes.ts"]);
    expect(uses(/exactGram =|gain = .*square/)).toEqual(["passes.ts"]);
    expect(uses(/\?\? count;/)).toEqual(["passes.ts"]);
    expect(uses(/2 \*\* -23/)).toEqual(["forward-gradient.ts"]);
  });
});
