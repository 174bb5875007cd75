/** Trains one who races on digits, in the lab's worker. */
import { mlp } from "forwardgrad";
import { trainInWorker, type WorkerTrainOptions } from "forwardgrad/web";
import { every, hidden } from "../digits/counts.ts";
import { drawnDigits } from "../digits/drawn.ts";
import type { Name } from "./on-digits.ts";

/** Hears how it goes. */
export interface Listener {
  tell(words: string): void;
  /** Means of ten steps each, so far. */
  losses(losses: readonly number[]): void;
  /** At the end, the share of others' digits that it reads. */
  read(share: number): void;
}

let worker: Worker | undefined;

function optionsOf(name: Name, k: number): Pick<WorkerTrainOptions, "perturb" | "tangents" | "gradient"> {
  if (name === "exact") return { gradient: "exact" };
  return { perturb: name === "alone" ? { name: "activations", guess: "none" } : name, tangents: k };
}

/** @throws what `trainInWorker` throws */
export async function runOnDigits(
  name: Name,
  k: number,
  signal: AbortSignal,
  listener: Listener,
): Promise<void> {
  worker ??= new Worker(new URL("worker.js", document.baseURI), { type: "module" });
  listener.tell("drawing digits, loading the engine …");
  const { train, test, normalization } = await drawnDigits(worker);
  const training = trainInWorker(worker, {
    model: mlp({ input: [1, 28, 28], hidden: [hidden], outputs: 10, normalization }),
    ...{ examples: train, test, epochs: 2, signal },
    ...optionsOf(name, k),
    runtime: { wasmPaths: new URL("engine/", document.baseURI).href },
  });
  const losses: number[] = [];
  let sum = 0;
  for await (const event of training) {
    if (event.kind === "step") {
      sum += event.loss;
      if (event.step % every !== 0) continue;
      losses.push(sum / every);
      sum = 0;
      listener.losses(losses);
      listener.tell(`${name}: step ${event.step} of ${event.steps}`);
    }
    if (event.kind === "done") listener.read(event.result.testAccuracy ?? 0);
  }
}
