/** A run of the panel as a command, and as code. */
import type { WorkerTrainOptions } from "forwardgrad/web";
import { counts, epochs, hidden } from "./counts.ts";

/** What can be chosen. */
export interface Chosen extends Readonly<Record<string, string | number>> {
  /** "activations", "alone" (these without a guess), "weights" or "exact" */
  readonly estimator: string;
  /** Directions a step. */
  readonly k: number;
  /** 0: the default. */
  readonly rate: number;
  /** Where the page computes. */
  readonly device: "wasm" | "webgpu";
}

type Options = Pick<WorkerTrainOptions, "perturb" | "tangents" | "gradient" | "learningRate">;

/** The options of a run that are chosen. */
export function chosenOptions({ estimator, k, rate }: Chosen): Options {
  const perturb: Options["perturb"] =
    estimator === "alone"
      ? { name: "activations", guess: "none" }
      : estimator === "weights"
        ? "weights"
        : "activations";
  return {
    ...(estimator === "exact" ? { gradient: "exact" as const } : { perturb, tangents: k }),
    ...(rate > 0 && { learningRate: rate }),
  };
}

/** For a shell. The command draws 30,000 digits by itself. */
export function asCommand({ estimator, k, rate }: Chosen): string {
  const given = {
    alone: "--perturb activations --guess none",
    weights: "--perturb weights",
    exact: "--gradient exact",
  }[estimator];
  return [
    `npx forwardgrad train --data glyphs --model mlp --hidden ${hidden} --epochs ${epochs}`,
    ...(given === undefined ? [] : [given]),
    ...(estimator === "exact" ? [] : [`--tangents ${k}`]),
    ...(rate > 0 ? [`--lr ${rate}`] : []),
  ].join(" ");
}

/** For Node. */
export function asCode(chosen: Chosen): string {
  const given = Object.entries(chosenOptions(chosen)).map(
    ([name, value]) => `  ${name}: ${JSON.stringify(value)},\n`,
  );
  return `import { glyphs, mlp, train } from "forwardgrad";
import { nodeRuntime } from "forwardgrad/node";

const data = glyphs(${JSON.stringify(counts)});
const { normalization } = data;
const events = train({
  model: mlp({ input: [1, 28, 28], hidden: [${hidden}], outputs: 10, normalization }),
  examples: data.train,
  test: data.test,
  runtime: nodeRuntime(),
  epochs: ${epochs},
${given.join("")}});
for await (const event of events) if (event.kind === "done") console.log(event.result.testAccuracy);
`;
}
