/** Training on WebGPU, in software: parameters, state and tangents stay there. */
import { webRuntime } from "../../src/runtime/web.ts";
import { deviceTraining } from "../device-training.ts";

deviceTraining(
  "WebGPU",
  () => webRuntime({ device: "webgpu" }),
  () => webRuntime(),
  {
    ...{ bound: 1e-4, drawsThere: true, isSlow: true },
  },
);
