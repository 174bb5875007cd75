import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeRows, encodeHeader, encodeRows } from "./results.ts";
import { formatSetting, resolveSettings } from "./settings.ts";
import { studies } from "./studies.ts";
import type { Column, Row, Study } from "./study.ts";

const columns: readonly Column[] = [
  { name: "n", kind: "number", description: "a number" },
  { name: "name", kind: "text", description: "a text" },
  { name: "extra", kind: "number", description: "may be missing", optional: true },
];
const encode = (rows: readonly Row[]) =>
  new TextEncoder().encode(encodeHeader(columns) + encodeRows(columns, rows));
const decode = (text: string) => decodeRows("results.csv", new TextEncoder().encode(text), columns);

describe("rows", () => {
  it("come back as they were", () => {
    const numbers = fc.oneof(fc.double(), fc.integer());
    const texts = fc.string({ minLength: 1 }).map((text) => `t${text.replaceAll("\0", "")}t`);
    const rows = fc.array(
      fc.record({ n: numbers, name: texts, extra: fc.option(numbers, { nil: undefined }) }),
    );
    fc.assert(
      fc.property(rows, (given) => {
        // Zero has no sign in a CSV file.
        const plain = given.map((row) => ({
          ...row,
          n: row.n + 0,
          extra: row.extra === undefined ? undefined : row.extra + 0,
        }));
        expect(decodeRows("results.csv", encode(plain), columns)).toEqual(plain);
      }),
      { seed: 1 },
    );
  });

  it("are refused where they do not fit the columns", () => {
    expect(() => encodeRows(columns, [{ n: 1, name: "a", other: 2 }])).toThrow("the column 'other'");
    expect(() => encodeRows(columns, [{ n: "1", name: "a" }])).toThrow("'n' holds \"1\", expected a number");
    expect(() => encodeRows(columns, [{ name: "a" }])).toThrow("'n' holds undefined");
  });

  it.each([
    ["n,name,extra\nx,a,1\n", "results.csv: row 2, column 'n' holds 'x', expected a number"],
    ["n,name,extra\n1,a,1\n2,,3\n", "row 3, column 'name' holds '', expected a text"],
    ["n,name\n1,a\n", "the header is 'n,name', expected 'n,name,extra'"],
    ["n,name,extra\n1,a\n", "row 2 has 2 fields"],
  ])("in damaged files are named: %j", (text, message) => {
    expect(() => decode(text)).toThrow(message);
  });
});

describe("settings", () => {
  const quality = studies.quality as Study;

  it("are a scale's defaults, changed by texts", () => {
    expect(resolveSettings(quality, "full")).toEqual(quality.full);
    const changed = resolveSettings(quality, "quick", {
      samples: "7",
      tangents: "1, 3",
      gradients: "random",
    });
    expect(changed).toEqual({ ...quality.quick, samples: 7, tangents: [1, 3], gradients: ["random"] });
    expect(formatSetting([1, 3])).toBe("1, 3");
  });

  it.each([
    [{ sample: "7" }, "no setting 'sample', received sample=7; its settings: dimensions, tangents"],
    [{ samples: "1" }, "samples=1: Too small: expected number to be >=2"],
    [{ samples: "many" }, "samples=many: Invalid input: expected number, received NaN"],
    [{ tangents: "1,,2" }, "tangents=1,,2"],
    [{ gradients: "tens" }, 'expected one of "ones"|"random"'],
  ])("are refused: %j", (changes, message) => {
    expect(() => resolveSettings(quality, "full", changes as Record<string, string>)).toThrow(message);
  });
});
