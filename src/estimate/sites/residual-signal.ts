/** The signal at the end of a residual stream. Loaded where a guess reads it. */
import { emitCotangents } from "../../ad/gradient.ts";
import { residualStream, withoutProducts } from "../../ad/residual-stream.ts";
import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { Graph } from "../../onnx/graph.ts";
import type { FoundSites } from "./found-sites.ts";

/** What a guess reads, and at which sites it knows something from it. */
export interface FoundSignal extends Pick<FoundSites, "carry"> {
  /** Of the value. */
  readonly name: string;
  readonly isSummed: (value: string) => boolean;
}

/**
 * The name of the value that the last residual block reads, which sites reach it by sums alone, and the way back to those that
 * reach it through normalizations.
 *
 * @param names of the sites, in the graph's order
 * @param isLayered whether the sites are the ends of layers, and not of blocks
 * @throws SettingError where no stream leads from one site to the next
 */
export function residualSignal(
  graph: Graph,
  names: readonly string[],
  guess: string,
  isLayered: boolean,
): FoundSignal {
  const stream = residualStream(graph, names);
  if (stream) {
    const { lastInput: name, values, carried } = stream;
    const through = names.slice(0, names.indexOf(name)).filter((each) => carried.has(each));
    return {
      name,
      isSummed: (value) => values.has(value) || through.includes(value),
      ...(through.length > 0 && {
        carry: (g, cotangent) => emitCotangents(g, withoutProducts(graph), through, { name, cotangent }),
      }),
    };
  }
  throw new SettingError(
    words`${option("guess", guess)} needs two sites or more on a residual stream (values that sums x + f(x), or normalizations of them, hand on in one
      shape, as in a transformer), and the ${names.length} sites of '${graph.name}' have none that goes on from one to the next;
      choose ${option("guess", "feedback")}, or ${
        isLayered
          ? words`name the blocks between the sums (${option("perturb.pattern")})`
          : words`perturb the ends of layers, which may lie behind sums that no node's name tells (${option("perturb", "activations")}), or name
            the blocks between the sums (${option("perturb.pattern")})`
      }.`,
    { option: "guess" },
  );
}
