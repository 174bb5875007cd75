import { statisticsName } from "../ad/names.ts";
import { ModelError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { describeNode, type Graph, getValue, int, type Node, nodeName, type Value } from "../onnx/graph.ts";

/** A graph whose BatchNormalization nodes normalize with the statistics of the batch. */
export interface BatchStatistics {
  /** Has one more output for each running statistic: `statistics/<name>`, its value after this batch. */
  readonly graph: Graph;
  /** Names of the stored running means and variances. */
  readonly names: readonly string[];
}

/**
 * Turns BatchNormalization from its form for inference, with stored statistics, into its form for training. A file
 * exported after `model.eval()` holds the former; the trained file keeps it, with statistics that followed the batches.
 *
 * @throws when a node's statistics are computed instead of stored
 */
export function useBatchStatistics(graph: Graph): BatchStatistics {
  const names: string[] = [];
  const outputs: Value[] = [];
  const nodes = graph.nodes.map((node): Node => {
    if (node.op !== "BatchNormalization" || node.domain !== "") return node;
    const stored = node.inputs.slice(3, 5);
    const running = stored.map((name) => {
      if (!graph.initializers.has(name)) {
        throw new ModelError(
          words`${describeNode(node)}: its running statistic '${name}' is computed, and only stored ones can follow the
            batches; keep the statistics frozen (${option("batchNorm", "frozen")}).`,
          { node: nodeName(node) },
        );
      }
      const value = getValue(graph, name);
      if (!names.includes(name)) {
        names.push(name);
        outputs.push({ ...value, name: statisticsName(name) });
        return statisticsName(name);
      }
      // A second node with the same statistics leaves them to the first.
      return "";
    });
    const isOmitted = running.every((name) => name === "");
    return {
      ...node,
      outputs: isOmitted ? node.outputs.slice(0, 1) : [...node.outputs.slice(0, 1), ...running],
      attributes: { ...node.attributes, training_mode: int(1) },
    };
  });
  const values = new Map([...graph.values, ...outputs.map((value) => [value.name, value] as const)]);
  return { graph: { ...graph, nodes, outputs: [...graph.outputs, ...outputs], values }, names };
}
