import type { Estimator } from "../estimate/estimator.ts";
import { exampleInput } from "../objective/model-inputs.ts";
import { countParameters } from "../objective/parameters.ts";
import type { TrainEvent } from "./events.ts";
import type { RunPlan } from "./run-plan.ts";
import type { RunState } from "./run-state.ts";
import { drawnTangents } from "./settings/estimator.ts";

/** The first event of a run. */
export function startEvent(
  { options, objective, estimator, learningRate, notes, steps, first }: RunPlan,
  { dimension }: Pick<Estimator, "dimension">,
  { step }: Pick<RunState, "step">,
  memory: (TrainEvent & { kind: "start" })["memory"],
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
    batch: objective.batch * options.accumulate,
    guess: estimator.guess?.name,
    headAlone: first?.steps,
    ...{ dimension, learningRate, memory, notes, steps, step },
  };
}
