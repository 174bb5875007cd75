import { expect, it } from "vitest";
import { callingThread } from "../random/drawer.ts";

import { fold, keyFromSeed } from "../random/threefry.ts";
import { exampleGram, gram } from "./gram.ts";
import { rademacher } from "./rademacher.ts";
import { areCounted } from "./sampler.ts";
import { samplers } from "./samplers.ts";
import { openSignGrams } from "./sign-grams.ts";
import { createSiteTangents, drawSiteTangents } from "./site-tangents.ts";
import { createTangentSet, drawTangents } from "./tangent-set.ts";

const key = keyFromSeed(3);

/** Values of which about half are 0, [outer, batch, inner]. */
const halfZero = (length: number) =>
  Float32Array.from({ length }, (_, index) => ((index * 7919) % 13 < 6 ? 0 : index + 1));

it.each([
  { k: 16, batch: 5, examples: 5, before: 0, sites: [{ outer: 1, inner: 256 }] },
  {
    k: 3,
    batch: 4,
    examples: 4,
    before: 3,
    sites: [
      { outer: 3, inner: 7 },
      { outer: 1, inner: 10 },
    ],
  },
  {
    k: 5,
    batch: 3,
    examples: 1,
    before: 0,
    sites: [
      { outer: 2, inner: 4 },
      { outer: 1, inner: 9001 },
    ],
  },
  {
    k: 1,
    batch: 2,
    examples: 2,
    before: 1,
    sites: [
      { outer: 25, inner: 1 },
      { outer: 1, inner: 63 },
    ],
  },
])("counts what the signs of examples have in common: $k of $batch examples, $sites", (one) => {
  const { k, batch, examples, before, sites } = one;
  const sized = sites.map(({ outer, inner }, index) => ({ value: `${index}`, size: outer * inner }));
  const tangents = createSiteTangents(sized, k, examples, rademacher());
  drawSiteTangents(tangents, key, callingThread, 0, k, before);
  // The first site is rectified, others are not.
  const values = sites.map(({ outer, inner }, index) =>
    index === 0 ? halfZero(outer * batch * inner) : undefined,
  );
  const pieces = sites.map(({ outer, inner }) => ({ size: outer * inner, inner, examples }));
  const counts = openSignGrams(k, batch, pieces);
  const isActive = (site: number, example: number, position: number) => {
    const { inner } = sites[site] as (typeof sites)[number];
    const index = (Math.floor(position / inner) * batch + example) * inner + (position % inner);
    return values[site]?.[index] !== 0;
  };
  // Twice: nothing is left of the count before.
  for (let round = 0; round < 2; round++)
    counts?.count(callingThread, (tangent, site) => fold(fold(key, tangent), site), before, values);
  for (let example = 0; example < batch; example++) {
    const expected = new Float64Array(k * k);
    exampleGram(tangents, example, expected, (site, rows) => {
      for (const [index] of rows.entries())
        if (!isActive(site, example, index % (sized[site]?.size ?? 1))) rows[index] = 0;
    });
    expect(counts?.gram(example)).toEqual(expected);
    expect(counts?.active(example)).toBe(expected[0]);
  }
});

it("counts what the signs of all parameters together have in common", () => {
  const set = createTangentSet(
    [
      { name: "weight", shape: [130, 77] },
      { name: "bias", shape: [77] },
    ],
    4,
    rademacher(),
  );
  drawTangents(set, key);
  const counts = openSignGrams(4, 1, [{ size: set.dimension, examples: 1 }]);
  counts?.count(callingThread, (tangent) => fold(key, tangent), 0, []);
  expect(counts?.gram(0)).toEqual(gram(set));
});

it.each([1, 4, 16, 19])("combines %i tangents of all parameters", (k) => {
  const shapes = [
    { name: "weight", shape: [131, 77] },
    { name: "bias", shape: [77] },
  ];
  const set = createTangentSet(shapes, k, rademacher());
  drawTangents(set, key);
  const signs = openSignGrams(k, 1, [{ size: set.dimension, examples: 1 }]);
  signs?.draw(callingThread, (tangent) => fold(key, tangent), 0);
  const coefficients = Float32Array.from({ length: k }, (_, index) => ((index * 37) % 11) - 4.3);
  for (const { offset, tensor } of set.parts) {
    const size = tensor.data.length / k;
    const out = new Float32Array(size);
    signs?.combine(coefficients, offset, out);
    const expected = Array.from({ length: size }, (_, position) =>
      coefficients.reduce((sum, c, index) => sum + c * (tensor.data[index * size + position] as number), 0),
    );
    const error = expected.reduce(
      (most, value, index) => Math.max(most, Math.abs(value - (out[index] ?? 0))),
      0,
    );
    expect(error).toBeLessThan(1e-4);
  }
});

it("is for signs as they are drawn, and many of them", () => {
  expect(areCounted(rademacher(), 2 ** 16)).toBe(true);
  expect(areCounted(rademacher(), 1000)).toBe(false);
  expect(areCounted(samplers.gaussian(), 2 ** 20)).toBe(false);
  expect(areCounted(samplers["low-rank"]({ factors: "rademacher" }), 2 ** 20)).toBe(false);
  expect(areCounted({ ...rademacher(), radius: () => 1 }, 2 ** 20)).toBe(false);
});
