// What a step of several workers sends, what an update takes, and what a newcomer takes to catch up, in one process:
//   node bench/distributed.mjs

import { mlp } from "forwardgrad";
import { memoryNetwork, trainTogether, work } from "forwardgrad/distributed";
import { nodeRuntime } from "forwardgrad/node";

const runtime = nodeRuntime({ threads: 1 });
const count = 256;
const examples = {
  inputs: Float32Array.from({ length: count * 64 }, (_, index) => Math.sin(index * index)),
  labels: Int32Array.from({ length: count }, (_, index) => index % 10),
  shape: [64],
  count,
};
const quiet = { checkpointSeconds: 1e6, epochs: undefined };

for (const width of [16, 512])
  for (const workers of [1, 2, 4]) {
    const model = mlp({ input: [64], hidden: [width, width], outputs: 10 });
    const parameters = 64 * width + width ** 2 + 10 * width + 2 * width + 10;
    const network = memoryNetwork();
    const working = Array.from({ length: workers }, () =>
      work({ transport: network.join("worker"), runtime, takesOver: false }),
    );
    const transport = network.join("coordinator");
    const steps = 12;
    const options = {
      ...{ model, examples, runtime, perturb: "weights", steps, batch: 16, validation: 0, ...quiet },
    };
    let begun;
    let ended;
    for await (const event of trainTogether(options, { transport, check: 0 })) {
      if (event.kind !== "step") continue;
      if (event.step === 1) begun = await transport.traffic();
      if (event.step === steps - 1) ended = await transport.traffic();
    }
    await Promise.all(working);
    const each = (name) => ((ended[name] - begun[name]) / (steps - 2)).toFixed(1);
    console.log(
      `n = ${parameters.toLocaleString("en")}, ${workers} workers: the coordinator sends ${each("sent")} messages of ${each("sentBytes")} ` +
        `bytes in all a step, and receives ${each("received")} of ${each("receivedBytes")}`,
    );
  }

// A newcomer behind 1,000 steps: there is one epoch, and the only checkpoint is that of its beginning.
const many = 16 * 1000;
const epoch = {
  ...{ count: many, shape: [64], labels: Int32Array.from({ length: many }, (_, index) => index % 10) },
  inputs: Float32Array.from({ length: many * 64 }, (_, index) => Math.sin(index * index)),
};
const network = memoryNetwork();
const model = mlp({ input: [64], hidden: [16, 16], outputs: 10 });
const options = { model, examples: epoch, runtime, perturb: "weights", batch: 16, validation: 0, ...quiet };
const first = work({ transport: network.join("worker"), runtime, takesOver: false });
let joined;
let caught;
for await (const event of trainTogether(options, { transport: network.join("coordinator"), lease: 60_000 })) {
  if (event.kind !== "step" || event.step < event.steps) continue;
  caught = work({
    ...{ transport: network.join("late"), runtime, takesOver: false },
    onEvent: (heard) => {
      if (heard.kind === "joined") joined = { at: performance.now(), step: heard.step };
    },
  });
  while (!joined) await new Promise((resolve) => setTimeout(resolve, 1));
}
const { steps } = await caught;
const milliseconds = (performance.now() - joined.at).toFixed(0);
console.log(`a newcomer joins at step ${joined.step} and follows ${steps} steps in ${milliseconds} ms`);
await first;
