/** Random numbers stay apart: every stream that a key is folded into has its name and number in one file. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import * as named from "../src/random/streams.ts";
import { fold, keyFromSeed } from "../src/random/threefry.ts";

const source = resolve(import.meta.dirname, "../src");
const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter(
  (name) => /\.ts$/.test(name) && !/\.test\.ts$/.test(name) && !/^random[\\/]/.test(name),
);

/** Calls of `fold` in a text whose stream is a number, or a constant that is one. */
function literalFolds(name: string, text: string): string[] {
  const file = ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const constants = new Set<string>();
  const isNumber = (node: ts.Node | undefined): boolean =>
    node !== undefined &&
    (ts.isNumericLiteral(node) ||
      (ts.isIdentifier(node) && constants.has(node.text)) ||
      (ts.isBinaryExpression(node) && isNumber(node.left) && isNumber(node.right)));
  const visit = (node: ts.Node) => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name) && isNumber(node.initializer))
      if (node.parent.flags & ts.NodeFlags.Const) constants.add(node.name.text);
    if (ts.isCallExpression(node) && node.expression.getText() === "fold" && isNumber(node.arguments[1]))
      found.push(`${name}: ${node.getText()}`);
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

describe("random streams", () => {
  it("are found where they are numbers", () => {
    expect(literalFolds("a", "const stream = 2 ** 5; fold(key, 1); fold(fold(key, stream), step)")).toEqual([
      "a: fold(key, 1)",
      "a: fold(key, stream)",
    ]);
  });

  it("have names everywhere", () => {
    const found = files.flatMap((name) => literalFolds(name, readFileSync(join(source, name), "utf8")));
    expect(found).toEqual([]);
  });

  it("below one key have numbers of their own", () => {
    // Bias and position are no parts of one layer.
    for (const streams of [named.streams, named.glyphStreams, named.glyphPartStreams, named.frontierStreams])
      expect(new Set(Object.values(streams)).size).toBe(Object.keys(streams).length);
  });

  it("keep their numbers", () => {
    expect(named.streams).toEqual({
      ...{ initialization: 1, split: 2, order: 3, tangents: 4, quality: 5, augmentation: 6, adapters: 7 },
      ...{ dropout: 8, rates: 9, head: 10, glyphs: 0x676c7970 },
    });
    expect(named.streamKey(3, "tangents")).toEqual(fold(keyFromSeed(3), 4));
  });
});
