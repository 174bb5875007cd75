/** Training with held tensors on Node's CPU, as if it had a memory of its own. */
import { nodeRuntime } from "../src/runtime/node.ts";
import type { Residence, Runtime } from "../src/runtime/runtime.ts";
import { deviceTraining } from "./device-training.ts";

function apart(): Runtime {
  const runtime = nodeRuntime({ threads: 1 });
  const own = runtime.residence as Residence;
  const residence: Residence = {
    isApart: true,
    crossed: own.crossed,
    hold: (dtype, shape) => own.hold(dtype, shape),
    write: (held, numbers) => own.write(held, numbers),
    read: (held) => own.read(held),
    release: (held) => own.release(held),
  };
  return { ...runtime, residence };
}

deviceTraining("a CPU with memory of its own", apart, () => nodeRuntime({ threads: 1 }), {
  ...{ bound: 1e-4, drawsThere: false, isSlow: false },
});
