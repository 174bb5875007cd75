import { exampleInput } from "../objective/model-inputs.ts";
import type { Objective } from "../objective/objective.ts";
import { countParameters } from "../objective/parameters.ts";
import type { TrainEvent } from "./events.ts";
import { drawnTangents } from "./settings/estimator.ts";
import type { RunOptions } from "./settings/run-settings.ts";

/** The first event of a run. */
export function startEvent(
  options: RunOptions,
  objective: Objective,
  run: Pick<
    TrainEvent & { kind: "start" },
    "dimension" | "guess" | "learningRate" | "memory" | "notes" | "steps" | "step"
  >,
): TrainEvent {
  const { name: input, further } = exampleInput(objective.model, options.examples, options);
  return {
    kind: "start",
    model: objective.model.name,
    input,
    furtherInputs: further.map(({ name }) => name),
    output: objective.output,
    trained: Object.keys(objective.parameters),
    parameters: countParameters(objective.parameters),
    head: options.head,
    tangents: drawnTangents(options),
    isLocal: options.definition.isLocal === true,
    batch: objective.batch,
    ...run,
  };
}
