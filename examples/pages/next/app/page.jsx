"use client";
// Trains a small network on drawn digits in a worker of the page, and says how well it reads others.
import { glyphs, mlp } from "forwardgrad";
import { trainInWorker } from "forwardgrad/web";
import { useEffect, useState } from "react";

export default function Page() {
  const [state, setState] = useState("…");
  useEffect(() => {
    const stop = new AbortController();
    learn(setState, stop.signal);
    return () => stop.abort();
  }, []);
  return <p id="state">{state}</p>;
}

async function learn(say, signal) {
  const data = glyphs({ train: 2000, test: 500 });
  const model = mlp({ input: [1, 28, 28], hidden: [32], outputs: 10, normalization: data.normalization });
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  const training = trainInWorker(worker, { model, examples: data.train, test: data.test, epochs: 2, signal });
  for await (const event of training) {
    if (event.kind === "step") say(`step ${event.step} of ${event.steps}`);
    if (event.kind === "done") say(`reads ${(100 * event.result.testAccuracy).toFixed(1)} %`);
  }
  worker.terminate();
}
