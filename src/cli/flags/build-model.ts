/** Flags that choose a model: a file, or one of ours with its shape. */
import type { Command } from "commander";
import type { Dataset } from "../../data/dataset.ts";
import { type ActivationName, activations } from "../../models/activations.ts";
import { convnet, defaultArchitecture } from "../../models/convnet.ts";
import type { PoolMode } from "../../models/layers.ts";
import { lenet5 } from "../../models/lenet5.ts";
import { mlp } from "../../models/mlp.ts";
import { mlpMixer } from "../../models/mlp-mixer.ts";
import { type ModelName, models } from "../../models/models.ts";
import type { ModelOptions } from "../../models/network.ts";
import { type Resnet18Options, resnet18, resnetNorms } from "../../models/resnet18.ts";
import { vit } from "../../models/vit.ts";
import { modelOfGraph } from "../../objective/importing/model-file.ts";
import { namesOf, rememberData } from "../../objective/model-data.ts";
import type { Graph } from "../../onnx/graph.ts";
import type { Model } from "../../onnx/read-model.ts";
import { nearest } from "../../settings/nearest.ts";
import { type DatasetChoice, targetSize } from "./datasets.ts";
import { choice, sizes, wholeNumber } from "./options.ts";

/** Flags that only some models take. */
export interface ShapeFlags {
  readonly hidden?: number[];
  readonly activation?: ActivationName;
  readonly pooling?: PoolMode;
  readonly architecture?: string;
  readonly norm?: Resnet18Options["norm"];
  readonly width?: number;
  readonly layers?: number;
  readonly patch?: number;
  readonly heads?: number;
}

export interface ModelFlags extends ShapeFlags {
  /** Name of a model, or an ONNX file. */
  readonly model: string;
}

const builders = {
  mlp: {
    flags: ["hidden", "activation"],
    build: ({ hidden, activation }, options) => mlp({ ...options, hidden, activation }),
  },
  lenet5: {
    flags: ["activation", "pooling"],
    build: ({ activation, pooling }, options) => lenet5({ ...options, activation, pooling }),
  },
  convnet: {
    flags: ["architecture"],
    build: ({ architecture }, options) => convnet({ ...options, architecture }),
  },
  resnet18: {
    flags: ["norm", "width"],
    build: ({ norm, width }, options) => resnet18({ ...options, norm, width }),
  },
  vit: {
    flags: ["patch", "layers", "heads", "width"],
    build: ({ patch, layers, heads, width }, options) => vit({ ...options, patch, layers, heads, width }),
  },
  "mlp-mixer": {
    flags: ["patch", "layers", "width"],
    build: ({ patch, layers, width }, options) => mlpMixer({ ...options, patch, layers, width }),
  },
} satisfies Record<
  ModelName,
  {
    readonly flags: readonly (keyof ShapeFlags)[];
    readonly build: (flags: ShapeFlags, options: ModelOptions) => Graph;
  }
>;

const shapeFlags = [
  ...new Set(Object.values(builders).flatMap(({ flags }) => flags as (keyof ShapeFlags)[])),
];

export function addModelOptions(command: Command): Command {
  return command
    .optionsGroup("Model:")
    .option("--model <name>", `${Object.keys(models).join(", ")}, or an ONNX file`, "mlp")
    .option("--hidden <sizes>", "mlp: widths of the hidden layers (default: 256,256)", sizes)
    .addOption(
      choice("--activation <name>", "mlp, lenet5: nonlinearity, default relu", Object.keys(activations)),
    )
    .addOption(choice("--pooling <kind>", "lenet5: default max", ["max", "average"]))
    .option("--architecture <text>", `convnet: operations and blocks (default: ${defaultArchitecture})`)
    .addOption(choice("--norm <kind>", "resnet18: normalization, default batch", resnetNorms))
    .option(
      "--width <n>",
      "resnet18: channels of the first stage (default: 64); vit, mlp-mixer: size of a token (default: 256, 128)",
      wholeNumber(1),
    )
    .option("--layers <n>", "vit, mlp-mixer: layers (default: 6, 4)", wholeNumber(1))
    .option("--patch <n>", "vit, mlp-mixer: side of a patch (default: 4)", wholeNumber(1))
    .option("--heads <n>", "vit: attention heads (default: 4)", wholeNumber(1));
}

/**
 * The model that the flags name, for the images and classes of a dataset.
 *
 * @throws when there is none, or when a flag is given that this model does not take
 */
export function buildModel(
  flags: ModelFlags & Pick<DatasetChoice, "loss"> & { readonly seed: number },
  dataset: Dataset,
): Model {
  if (!Object.hasOwn(builders, flags.model)) {
    const [near] = nearest(flags.model, Object.keys(models));
    throw new Error(
      `There is no model '${flags.model}'${near ? `; did you mean ${near}?` : "."} Choose one of ` +
        `${Object.keys(models).join(", ")}, or an ONNX file (its name must end in .onnx).`,
    );
  }
  const name = flags.model as ModelName;
  const { flags: taken, build } = builders[name];
  refuseShapeFlags(flags, `the model ${name}`, taken);
  const targetNormalization = flags.loss === "mean-squared-error" ? dataset.targetNormalization : undefined;
  const graph = build(flags, {
    input: dataset.train.shape,
    outputs: dataset.classes || targetSize(dataset),
    normalization: dataset.normalization,
    targetNormalization,
    seed: flags.seed,
  });
  return rememberData(modelOfGraph(graph), { ...namesOf(dataset), targetNormalization });
}

/** @throws for a flag that shapes models which are not meant. */
export function refuseShapeFlags(
  flags: ShapeFlags,
  what: string,
  taken: readonly (keyof ShapeFlags)[],
): void {
  const wrong = shapeFlags.find((flag) => flags[flag] !== undefined && !taken.includes(flag));
  if (wrong === undefined) return;
  const owners = Object.entries(builders).flatMap(([name, builder]) =>
    (builder.flags as readonly string[]).includes(wrong) ? [name] : [],
  );
  const list = taken.map((flag) => `--${flag}`).join(", ");
  throw new Error(
    `--${wrong} belongs to ${owners.join(", ")}; ${what} takes ${list || "none of the flags that shape a model"}. ` +
      "Leave it out, or choose another --model.",
  );
}
