/** A guess that nothing corrects, at sites. */
import { keepUsedInputs } from "../../ad/gradient.ts";
import { reserved } from "../../ad/names.ts";
import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { zeros } from "../../onnx/tensor.ts";
import { fasterGraph } from "../../ops/upgrade.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import { type Estimator, gradientBuffers } from "../estimator.ts";
import { compileSegments } from "../segmented.ts";
import type { FoundSites } from "./found-sites.ts";
import { guessGraph } from "./graphs.ts";
import { findGuess } from "./guess.ts";
import type { ActivationsOptions } from "./kept.ts";

/**
 * ĝ = m: the gradient that each block is passed, and from there its parameters' gradients by its local transpose. No tangents
 * are drawn, so this is a local method and no forward gradient.
 *
 * @throws SettingError where there is no such guess, or derivatives are to be simulated
 */
export async function guessAlone(
  objective: Differentiable,
  options: ActivationsOptions,
  found: FoundSites,
): Promise<Estimator> {
  const guess = await findGuess(objective, options, found);
  if (!guess || options.simulated)
    throw new SettingError(
      words`γ = 0 takes no derivatives, which ${option("gradient", options.simulated === "law" ? "law" : "simulated")} is for; leave one of
        them out.`,
      { option: "guess" },
    );
  const { runtime, graph } = objective;
  const derived = guessGraph(objective, found, guess);
  const session = options.lowMemory
    ? await compileSegments(runtime, keepUsedInputs(derived, new Set()), graph, options.pieceBytes)
    : await compileGraph(runtime, fasterGraph(derived));
  const loss = zeros("float32", []);
  const { tensors, gradients } = gradientBuffers(objective);
  return {
    name: options.blocks ? "blocks" : "activations",
    dimension: found.dimension,
    async estimate(feeds) {
      await session.run({ ...feeds, ...guess.feeds() }, { [reserved.loss]: loss, ...tensors });
      return { loss: Number(loss.data[0]), derivatives: new Float64Array(), gradients, statistics: {} };
    },
    release: () => session.release(),
  };
}
