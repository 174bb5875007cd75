/** Study: how well forward gradients train networks. */
import * as z from "zod/mini";
import { SettingError } from "../../errors/errors.ts";
import { methodKey, methodsOf } from "../methods.ts";
import { count, some } from "../rules.ts";
import type { Study, Unit } from "../study.ts";
import { networkAccuracies, networkCurves } from "./charts.ts";
import { isPair, type NetworkDataset, type NetworkName, networkDatasets, networkNames } from "./models.ts";
import { networkRatesSource } from "./reference.ts";
import {
  measureRun,
  type NetworkRun,
  networkRunColumns,
  patience,
  type TrainingPath,
  trainingPaths,
} from "./runs.ts";
import { networkSummaryColumns, networkTables, summarizeNetworks } from "./summary.ts";
import { networkVerdicts } from "./verdicts.ts";

export type NetworksSettings = {
  networks: NetworkName[];
  datasets: NetworkDataset[];
  paths: TrainingPath[];
  tangents: number[];
  epochs: number;
  steps: number;
  subset: number;
  seeds: number;
};

/** Milliseconds of a step on one core with exact gradients, and with one more tangent; only the progress bar reads them. */
const stepCosts: Readonly<Record<NetworkName, readonly [exact: number, tangent: number]>> = {
  "fc-256": [3, 0.4],
  "fc-1024": [20, 1.8],
  "fc-4096": [190, 30],
  resnet18: [475, 110],
  vit: [1100, 380],
};

/** Sections 4.4 and 4.5: how well do forward gradients train networks? */
export const networks: Study<NetworksSettings> = {
  name: "networks",
  title: "Training networks: how close do forward gradients come to the exact gradient?",
  source: "Flügel et al., Beyond Backpropagation (arXiv 2410.17764), sections 4.4 and 4.5",
  claim:
    "More tangents train networks to a higher accuracy. Combined by orthogonal projection they are at least as good as " +
    "their mean. The gap to the exact gradient grows with the size of the network.",
  equation: [
    "θ ← θ − η Σ_sites (∂s/∂θ)ᵀ ĝ_s / B,  ĝ_b = Vᵀ c_b  for each example b of a batch of B",
    "d_b = V ∇ℓ_b  by forward mode;  mean: c_b = d_b/k,  projection: c_b = (V Vᵀ)⁺ d_b",
  ],
  method:
    "Fully connected networks (784-w-w-10), ResNet-18 and a ViT (6 layers of width 256, patches of 4×4), in float32 with true " +
    "forward mode. Paper: tangents at the outputs of blocks, shared across the batch, plain SGD with the constant learning rates that " +
    `the authors' search found, and a stop after ${patience} epochs without a lower validation loss. Ours: the library's ` +
    "defaults without a guess, with tangents at the activations, other ones for each example, and a learning rate that follows from n and k and falls along " +
    "a cosine. Both: Gaussian tangents, batches of 64 (MNIST) or 128 (CIFAR-10), 10,000 training images set aside for validation (a fifth of " +
    "smaller sets). A run counts with its test accuracy after the epoch with the lowest validation loss.",
  settings: {
    networks: some(z.enum(networkNames)).check(z.describe(`networks: ${networkNames.join(", ")}`)),
    datasets: some(z.enum(networkDatasets)).check(
      z.describe(`datasets: ${networkDatasets.join(", ")}; fully connected networks leave cifar10 out`),
    ),
    paths: some(z.enum(trainingPaths)).check(z.describe("how networks are trained: paper, ours")),
    tangents: some(z.union([z.literal(1), z.literal(2), z.literal(4), z.literal(16)])).check(
      z.describe("k, numbers of tangents: 1, 2, 4, 16"),
    ),
    epochs: count(1).check(z.describe("most epochs of a run")),
    steps: count(0).check(z.describe("most steps of a run; 0: no limit")),
    subset: count(0).check(
      z.describe("examples to train and validate on, and at most as many to test on; 0: all"),
    ),
    seeds: count(1).check(z.describe("runs of each method, with the seeds from 0")),
  },
  full: {
    networks: [...networkNames],
    datasets: ["mnist", "cifar10"],
    paths: [...trainingPaths],
    tangents: [1, 2, 4, 16],
    epochs: 200,
    steps: 0,
    subset: 0,
    seeds: 3,
  },
  quick: {
    networks: ["fc-256"],
    datasets: ["mnist"],
    paths: [...trainingPaths],
    tangents: [1, 16],
    epochs: 4,
    steps: 0,
    subset: 8000,
    seeds: 3,
  },
  quickLeavesOut:
    "Left out: all networks but fc-256, 2 and 4 tangents, most of MNIST and most epochs. So nothing is said of widths, and what speaks against " +
    "a claim of the paper speaks of the small sample first.",
  tiny: {
    networks: ["fc-256"],
    datasets: ["glyphs"],
    paths: [...trainingPaths],
    tangents: [2],
    epochs: 2,
    steps: 0,
    subset: 200,
    seeds: 1,
  },
  columns: networkRunColumns,
  summaryColumns: networkSummaryColumns,

  plan(settings) {
    const { networks: names, datasets, paths, tangents, seeds } = settings;
    const pairs = names.flatMap((network) =>
      datasets.filter((dataset) => isPair(network, dataset)).map((dataset) => ({ network, dataset })),
    );
    if (pairs.length === 0) {
      throw new SettingError(
        `Fully connected networks are not trained on ${datasets.join(", ")}; add mnist to datasets, or resnet18 or vit to ` +
          "networks.",
        { option: "datasets" },
      );
    }
    return pairs.flatMap((pair) =>
      paths.flatMap((path) =>
        methodsOf(tangents).flatMap((method) =>
          Array.from({ length: seeds }, (_, seed) => runUnit(settings, { ...pair, path, method, seed })),
        ),
      ),
    );
  },

  summarize: summarizeNetworks,
  charts: ({ rows, summary }) => [...networkAccuracies(summary), ...networkCurves(rows)],
  tables: ({ summary }) => networkTables(summary),
  verdicts: ({ rows, settings }) => networkVerdicts(rows, settings),

  notes: ({ networks: names, datasets, paths, epochs, subset }) => [
    ...(paths.includes("paper") ? [`Paper: ${networkRatesSource}.`] : []),
    ...(paths.includes("paper") && (epochs < 200 || subset > 0)
      ? [
          `The authors train for up to 200 epochs on all images; their constant learning rates suit such runs, not ${epochs} epochs.`,
        ]
      : []),
    ...(paths.includes("paper")
      ? [
          "The authors also train on the smaller batch that is left at the end of an epoch, and set the same images aside whatever the seed; here such a batch is left out, and the seed decides.",
        ]
      : []),
    ...(names.includes("resnet18")
      ? [
          "ResNet-18 has group normalization where the authors' has batch normalization, whose statistics couple the examples of a batch; their learning rates were found with the latter.",
        ]
      : []),
    ...(datasets.includes("glyphs") ? ["glyphs take the learning rates that were found for MNIST."] : []),
  ],
};

function runUnit(settings: NetworksSettings, run: NetworkRun): Unit {
  const { path, network, dataset, method, seed } = run;
  const key = `${network}/${dataset}/${path}/${methodKey(method)}/seed=${seed}`;
  const [exact, tangent] = stepCosts[network];
  return {
    key,
    cost: exact + tangent * method.k,
    measure: (environment) => measureRun(environment, run, settings, environment.scratch(key)),
  };
}
