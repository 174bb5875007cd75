import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const folder = resolve(import.meta.dirname, "../examples");

/** Runs an example as its first lines say, and returns what it prints. */
async function printed(name: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(folder, name)]);
  return stdout;
}

/** The numbers that a pattern finds, in order. */
const numbers = (text: string, pattern: RegExp) =>
  [...text.matchAll(pattern)].map((match) => Number(match[1]));

describe("the examples", () => {
  it("are all tested, and short", () => {
    const all = readdirSync(folder).sort();
    // Those for pages have a test of their own, page-examples.test.ts.
    expect(all).toEqual(["fine-tune.mjs", "pages", "train-mlp.mjs", "what-is-a-tangent.mjs"]);
    const names = all.filter((name) => name !== "pages");
    for (const name of names) {
      const lines = readFileSync(join(folder, name), "utf8").split("\n");
      expect(lines.length, name).toBeLessThan(80);
      expect(lines.find((line) => line.startsWith("// Run it with:"))).toContain(`node examples/${name}`);
    }
  });

  it("what-is-a-tangent: derivatives and projections are those of the closed form", async () => {
    const text = await printed("what-is-a-tangent.mjs");
    // (2x₁y₁, 2x₂y₂, x₁², x₂²) at x = (1, 2), y = (3, −1).
    expect(text).toMatch(/by hand +6\.000 +-4\.000 +1\.000 +4\.000/);
    const [computed, byHand] = [numbers(text, /d = (\S+),/g), numbers(text, /, by hand (\S+)/g)];
    expect(computed).toHaveLength(1 + 2 + 3 + 4);
    for (const [place, value] of computed.entries())
      expect(Math.abs(value - (byHand[place] as number))).toBeLessThan(0.0011);
    // A larger span never lies farther from the gradient.
    const cosines = numbers(text, /cosine (\S+)/g);
    expect(cosines).toEqual([...cosines].sort((a, b) => a - b));
    expect(cosines).toHaveLength(4);
    expect(cosines[0]).toBeLessThan(0.9);
    expect(cosines[3]).toBe(1);
    expect(
      text
        .split("\n")
        .filter((line) => line.includes("projection on them"))
        .at(-1),
    ).toMatch(/6\.000 +-4\.000 +1\.000 +4\.000/);
  });

  it("train-mlp: learns the quarters, and its file reads them", async () => {
    const text = await printed("train-mlp.mjs");
    const accuracies = numbers(text, /, (\S+) % of/g);
    expect(accuracies).toHaveLength(10);
    expect(accuracies.at(-1)).toBeGreaterThan(95);
    expect(text).toContain("the four quarters: 1, 0, 1, 0");
  });

  it("fine-tune: reads inverted digits that it could not read before", async () => {
    const text = await printed("fine-tune.mjs");
    const [before, after] = numbers(text, /(\S+) %/g);
    expect(before).toBeLessThan(20);
    expect(after).toBeGreaterThan(70);
    expect(text).toContain("with new layer2.weight and layer2.bias");
  });
});
