import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkDerivatives } from "../../ad/check.ts";
import { elementCount, float64, type Tensor } from "../../onnx/tensor.ts";
import { evaluate } from "../../runtime/evaluate.ts";
import { nodeRuntime } from "../../runtime/node.ts";
import { GraphBuilder } from "../full-builder.ts";

const runtime = nodeRuntime({ threads: 1 });

function build(equation: string, shapes: readonly (readonly number[])[]) {
  const g = new GraphBuilder("einsum");
  const inputs = shapes.map((shape, index) => g.input(`x${index}`, "float64", shape));
  return g.build({ y: g.einsum(...inputs, { equation }) });
}

function operands(shapes: readonly (readonly number[])[]): Record<string, Tensor> {
  return Object.fromEntries(
    shapes.map((shape, position) => {
      const numbers = Array.from(
        { length: elementCount(shape) },
        (_, index) => 2 * (((index + 1 + 7 * position) * 0.7548776662466927) % 1) - 1,
      );
      return [`x${position}`, float64(numbers, shape)];
    }),
  );
}

/** The sum of products over all index values, as the equation is defined. */
function sumOfProducts(
  terms: readonly string[],
  result: string,
  sizes: Readonly<Record<string, number>>,
  values: readonly Tensor[],
): number[] {
  const letters = Object.keys(sizes);
  const size = (letter: string) => sizes[letter] ?? 1;
  const offsetOf = (term: string, at: Readonly<Record<string, number>>) =>
    [...term].reduce((total, letter) => total * size(letter) + (at[letter] ?? 0), 0);
  const sums = Array.from({ length: elementCount([...result].map(size)) }, () => 0);
  for (let count = 0; count < elementCount(letters.map(size)); count++) {
    let rest = count;
    const at: Record<string, number> = {};
    for (const letter of letters) {
      at[letter] = rest % size(letter);
      rest = Math.floor(rest / size(letter));
    }
    const product = terms.reduce(
      (total, term, index) => total * Number(values[index]?.data[offsetOf(term, at)]),
      1,
    );
    sums[offsetOf(result, at)] = (sums[offsetOf(result, at)] ?? 0) + product;
  }
  return sums;
}

describe("Einsum", () => {
  it("has right values, derivatives and transposes for any equation", async () => {
    const term = fc.array(fc.constantFrom("i", "j", "k", "l"), { maxLength: 3 }).map((all) => all.join(""));
    const sizes = fc.record({
      i: fc.integer({ min: 1, max: 3 }),
      j: fc.integer({ min: 1, max: 3 }),
      k: fc.integer({ min: 1, max: 2 }),
      l: fc.integer({ min: 1, max: 2 }),
    });
    const cases = fc.tuple(fc.array(term, { minLength: 1, maxLength: 3 }), sizes, fc.nat(), fc.boolean());
    await fc.assert(
      fc.asyncProperty(cases, async ([terms, all, choice, isReversed]) => {
        const letters = [...new Set(terms.join(""))];
        const chosen = letters.filter((_, position) => (choice >> position) % 2 === 1);
        const result = (isReversed ? chosen.reverse() : chosen).join("");
        const used = Object.fromEntries(Object.entries(all).filter(([letter]) => letters.includes(letter)));
        const shapes = terms.map((letter) => [...letter].map((index) => used[index] ?? 1));
        const graph = build(`${terms.join(", ")} -> ${result}`, shapes);
        const feeds = operands(shapes);
        const { y } = await evaluate(runtime, graph, feeds);
        const expected = sumOfProducts(terms, result, used, Object.values(feeds));
        expect(y?.shape).toEqual([...result].map((letter) => used[letter]));
        expected.forEach((value, position) => {
          expect(Number(y?.data[position])).toBeCloseTo(value, 10);
        });
        const report = await checkDerivatives(graph, {
          evaluate: (given, fed) => evaluate(runtime, given, fed),
          feeds,
        });
        expect(report.forwardError).toBeLessThan(1e-8);
        expect(report.transposeError).toBeLessThan(1e-12);
      }),
      { numRuns: 25, seed: 1 },
    );
  });

  it("refuses equations that do not fit the operands", () => {
    expect(() => build("ij,jk->ik", [[2, 3]])).toThrow(/has 2 operands, and the node 1/);
    expect(() => build("ij->i", [[2, 3, 4]])).toThrow(/gives operand 0 'ij', which does not fit its axes/);
    expect(() => build("ijk", [[2, 3]])).toThrow(/does not fit its axes.*\[2, 3\]/);
    expect(() =>
      build("ij,jk->ik", [
        [2, 3],
        [4, 5],
      ]),
    ).toThrow(/gives index 'j' the sizes 3 and 4/);
    expect(() => build("ij->iz", [[2, 3]])).toThrow(/has the index 'z' in its result only/);
  });
});
