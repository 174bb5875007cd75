/** The networks and the data that the study trains. */
import type { Dataset } from "../../data/dataset.ts";
import { mlp } from "../../models/mlp.ts";
import { resnet18 } from "../../models/resnet18.ts";
import { vit } from "../../models/vit.ts";
import type { Graph } from "../../onnx/graph.ts";

/** The networks of sections 4.4 and 4.5. A fully connected one is named after the width of its two hidden layers. */
export const networkNames = ["fc-256", "fc-1024", "fc-4096", "resnet18", "vit"] as const;

export type NetworkName = (typeof networkNames)[number];

/** Images of 28×28 with one channel stand in for MNIST, whose learning rates they take. */
export const networkDatasets = ["mnist", "cifar10", "glyphs"] as const;

export type NetworkDataset = (typeof networkDatasets)[number];

/** Which pairs the paper trains: fully connected networks only meet 28×28 images. */
export function isPair(network: NetworkName, dataset: NetworkDataset): boolean {
  return hiddenWidth(network) === undefined || dataset !== "cifar10";
}

/** Examples in one batch, as the authors' configuration has it for each dataset. */
export function batchOf(dataset: NetworkDataset): number {
  return dataset === "cifar10" ? 128 : 64;
}

/** Width of the hidden layers; undefined where the network is not fully connected. */
export function hiddenWidth(network: string): number | undefined {
  const width = /^fc-(\d+)$/.exec(network)?.[1];
  return width === undefined ? undefined : Number(width);
}

/**
 * A network with the block structure that the authors perturb: each layer of a fully connected one with its activation; stem,
 * four stages and head of ResNet-18; the six encoder layers of the ViT, the first with the embedding, the last with the head.
 */
export function buildNetwork(
  network: NetworkName,
  { train, classes, normalization }: Pick<Dataset, "train" | "classes" | "normalization">,
  seed: number,
): Graph {
  const common = { input: train.shape, outputs: classes, normalization, seed };
  const width = hiddenWidth(network);
  if (width !== undefined) return mlp({ ...common, hidden: [width, width] });
  // Batch normalization couples the examples of a batch, which have their own coefficients here.
  if (network === "resnet18") return joinStages(resnet18({ ...common, norm: "group" }));
  return joinEnds(vit({ ...common, layers: vitLayers }), vitLayers);
}

const vitLayers = 6;

/** `layer1.0` and `layer1.1` become parts of `layer1`. */
function joinStages(graph: Graph): Graph {
  return renameNodes(graph, (name) => name.replace(/^(layer\d)\.(\d)\//, "$1/$2/"));
}

/** `embedding` becomes part of the first encoder layer, `head` of the last. */
export function joinEnds(graph: Graph, layers: number): Graph {
  return renameNodes(graph, (name) =>
    name.replace(/^embedding\//, "encoder_layer_0/$&").replace(/^head\//, `encoder_layer_${layers - 1}/$&`),
  );
}

function renameNodes(graph: Graph, rename: (name: string) => string): Graph {
  return { ...graph, nodes: graph.nodes.map((node) => ({ ...node, name: rename(node.name) })) };
}
