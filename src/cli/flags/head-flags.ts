/** Flags that put a new head on a model file. */
import { type Command, InvalidArgumentError } from "commander";
import type { Dataset } from "../../data/dataset.ts";
import { SettingError } from "../../errors/errors.ts";
import { option as mention, words } from "../../errors/words.ts";
import { type HeadOptions, headOptions, type Pool } from "../../objective/heads/head-options.ts";
import type { Model } from "../../onnx/read-model.ts";
import { targetSize } from "./datasets.ts";
import { choice, wholeNumber } from "./options.ts";
import type { SettingData } from "./setting-flags.ts";

export interface HeadFlags {
  readonly data: string;
  /** True: as many outputs as the data have classes, or target values. */
  readonly head?: number | true;
  readonly headFrom?: string;
  readonly headPool?: Pool;
  readonly besideHead?: HeadOptions["beside"];
  readonly headAlone?: number;
}

export function addHeadFlags(command: Command): Command {
  const { outputs, from, pool, beside, alone } = headOptions;
  return command
    .option(
      "--head [n]",
      `${outputs.help}; without n as many as the data have. It alone is trained, unless --adapter, --beside-head or ` +
        "--trainable says more",
      wholeNumber(1),
    )
    .option("--head-from <name>", `${from.help} (default: ${from.otherwise})`)
    .addOption(
      choice("--head-pool <name>", `${pool.help} (default: ${pool.otherwise})`, pool.names as Pool[]),
    )
    .addOption(
      choice("--beside-head <what>", `${beside.help} (default: ${beside.default})`, beside.names as string[]),
    )
    .option("--head-alone <share>", `${alone.help} (default: ${alone.default})`, share);
}

/**
 * The model with the head that the flags ask for.
 *
 * @param dimensions sizes of the model's open dimensions, where they are known
 * @throws SettingError for flags of a head without one, and for a model or value that takes none
 */
export async function withHeadFlags(
  model: Model,
  flags: HeadFlags,
  dataset: Pick<Dataset, "classes" | "train" | "test" | "texts">,
  { seed, dimensions }: Pick<HeadOptions, "seed" | "dimensions">,
): Promise<Model> {
  const { head, headFrom: from, headPool: pool, besideHead: beside, headAlone: alone } = flags;
  if (head === undefined) {
    refuseStray(flags);
    return model;
  }
  if (head === true && dataset.texts?.kind === "pairs")
    throw new SettingError(
      words`${mention("head")} needs to know how many numbers an embedding has, which pairs do not say; give it a number, such as 64.`,
      { option: "head" },
    );
  const found = dataset.classes > 0 ? dataset.classes : targetSize(dataset as Dataset);
  const outputs = head === true ? found : head;
  // Where tokens have labels, each position has outputs of its own.
  const isOfTokens = flags.data === "conll" || flags.data === "next-token";
  const { withHead } = await import("../../objective/heads/with-head.ts");
  return withHead(model, {
    ...{ outputs, from, beside, alone, seed, dimensions },
    pool: pool ?? (isOfTokens ? "none" : undefined),
  });
}

/**
 * Sizes of a model's open dimensions for a head: what is said, and otherwise those of pictures, rows and arrays, which all
 * have one size. Texts are of any length.
 */
export function headDimensions(
  { inputs }: Pick<Model, "inputs">,
  { train: { shape }, texts }: Pick<Dataset, "train" | "texts">,
  { input: name, dimensions }: SettingData,
): Readonly<Record<string, number>> | undefined {
  const said = dimensions as Readonly<Record<string, number>> | undefined;
  const input = inputs.find((one) => one.name === name) ?? inputs[0];
  if (texts || input?.dimensions?.length !== shape.length + 1) return said;
  const open = input.dimensions.flatMap((size, axis): [string, number][] =>
    axis === 0 || typeof size === "number" ? [] : [[size ?? `${input.name}.${axis}`, shape[axis - 1] ?? 1]],
  );
  return open.length === 0 ? said : { ...Object.fromEntries(open), ...said };
}

/** @throws SettingError for a flag that says what a head is like, without one */
export function refuseStray({
  headFrom: from,
  headPool: pool,
  besideHead: beside,
  headAlone: alone,
}: HeadFlags): void {
  const [stray] = Object.entries({ from, pool, beside, alone }).filter(([, value]) => value !== undefined);
  if (!stray) return;
  const option = `head.${stray[0]}`;
  throw new SettingError(
    words`${mention(option)} has no effect without a new head; add ${mention("head")}, or leave it out.`,
    { option },
  );
}

function share(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && headOptions.alone.accepts(value)) return value;
  throw new InvalidArgumentError(`Expected ${headOptions.alone.expected}.`);
}
