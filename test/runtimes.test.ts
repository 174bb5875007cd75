import { expect, it } from "vitest";
import { nodeRuntime } from "../src/runtime/node.ts";
import { estimateWith } from "./estimates.ts";
import { readGolden } from "./golden.ts";
import type { SmallModelGolden } from "./model-goldens.ts";
import { estimated, runtimeContract } from "./runtime-contract.ts";
import { withoutWebgpu } from "./webgpu.ts";

const goldens = readGolden<SmallModelGolden[]>("models.golden.json");
it("estimates are compared for models that exist", () => {
  expect(goldens.map(({ name }) => name)).toEqual(expect.arrayContaining(estimated));
});

const oneThread = nodeRuntime({ threads: 1 });
const reference = (golden: SmallModelGolden, estimator: string) => estimateWith(oneThread, golden, estimator);

runtimeContract("cpu, two threads", () => nodeRuntime({ threads: 2 }), reference, goldens);
runtimeContract("cpu, threads that spin", () => nodeRuntime({ threads: 2, spin: true }), reference, goldens);
runtimeContract(
  "webgpu",
  () => nodeRuntime({ device: "webgpu", threads: 1 }),
  reference,
  goldens,
  withoutWebgpu,
);
