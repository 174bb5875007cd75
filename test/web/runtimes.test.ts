import { commands } from "vitest/browser";
import { webRuntime } from "../../src/runtime/web.ts";
import type { SmallModelGolden } from "../model-goldens.ts";
import { runtimeContract } from "../runtime-contract.ts";

const address = new URL("../goldens/models.golden.json", import.meta.url);
const goldens = (await (await fetch(address)).json()) as SmallModelGolden[];
const reference = (golden: SmallModelGolden, estimator: string) => commands.nodeEstimates(golden, estimator);

runtimeContract("web, wasm", () => webRuntime(), reference, goldens);
// Shaders are compiled and run in software, so the smallest model stands for all.
const small = goldens.filter(({ name }) => name === "mlp");
runtimeContract("web, webgpu", () => webRuntime({ device: "webgpu" }), reference, small);
