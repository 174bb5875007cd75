/** The signal at the end of a residual stream. Loaded where a guess reads it. */
import { residualStream } from "../../ad/residual-stream.ts";
import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { Graph } from "../../onnx/graph.ts";

/**
 * The name of the value that the last residual block reads, and which sites reach it by sums alone.
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
): { readonly name: string; readonly isSummed: (value: string) => boolean } {
  const stream = residualStream(graph, names);
  if (stream) return { name: stream.lastInput, isSummed: (value) => stream.values.has(value) };
  throw new SettingError(
    words`${option("guess", guess)} needs two sites or more on a residual stream (values that sums x + f(x) hand on in one
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
