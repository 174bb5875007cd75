import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { defaultLimits, limitsWith } from "./limits.ts";

it("the page lists every limit with its default", () => {
  const page = readFileSync(new URL("../../docs/untrusted-files.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `(\w+)` .*\| ([\d,]+) +\|$/gm)];
  expect(rows.map(([, name, value = ""]) => [name, Number(value.replaceAll(",", ""))])).toEqual(
    Object.entries(defaultLimits),
  );
});

it("limits that are changed leave the others", () => {
  expect(limitsWith({ nodes: 5 })).toEqual({ ...defaultLimits, nodes: 5 });
  expect(() => limitsWith({ nodes: -1 })).toThrow(/nodes must be a whole number from 1, received -1/);
});
