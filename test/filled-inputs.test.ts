import { expect, it } from "vitest";
import { crossEntropy } from "../src/losses/cross-entropy.ts";
import { compileObjective } from "../src/objective/compile-objective.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { type CaseGolden, casesOf, readCase, useEverywhere } from "./cases.ts";

const kind = "filled-inputs";
const runtime = nodeRuntime({ threads: 1 });
const filled = (name: string) => {
  const { model, golden } = readCase(kind, name);
  return { model, fill: (golden as CaseGolden & { readonly fill: Record<string, number> }).fill };
};

it.each(casesOf(kind))("%s: filled inputs choose before anything is trained", (name) =>
  useEverywhere(kind, name, { fill: filled(name).fill, input: "x" }),
);

it("other numbers choose another branch", async () => {
  const { model } = filled("helper-rate");
  const options = { model, loss: crossEntropy(), runtime, batch: 4 };
  const slow = await compileObjective({ ...options, fill: { rate: 20, length: 4 } });
  expect(Object.keys(slow.parameters)).toEqual(["v", "u"]);
  await expect(compileObjective({ ...options, fill: { length: 4 } })).rejects.toThrow(
    /If node 'h'.*its condition depends on data.*\(fill\)/s,
  );
  await expect(compileObjective({ ...options, fill: { speed: 4 } })).rejects.toThrow(
    /has no input 'speed' to fill; it has the inputs 'x', 'rate', 'length'/,
  );
});
