/** The options of a new head on a model, each described once. */
import { choice, type Given, number, numbers, text, whole } from "../../settings/option.ts";

export const headOptions = {
  /** Classes, or values to predict. */
  outputs: whole(1, { help: "outputs of a new head: classes, or values to predict" }),
  /**
   * The value that it reads, an output or any float value inside. Default: what an earlier head reads where the model ends in one,
   * which is cut off; otherwise the model's first float output.
   */
  from: text({
    help: "value that the new head reads",
    otherwise: "what an old head reads, or the first output",
  }),
  /**
   * What becomes of the positions of a value [batch, positions, width] or [batch, channels, height, width]: their mean, over
   * the attention mask where the model has one; the first, which is the class token where there is one; the last; or
   * none, where each position gets outputs of its own. Default mean.
   */
  pool: choice(["mean", "first", "last", "none"], {
    help: "what a new head makes of positions; first is the class token",
    otherwise: "mean, over the attention mask",
  }),
  /** What is trained with the head: nothing (or adapters alone), the scales and biases of normalizations, or all. */
  beside: choice(["nothing", "norms", "all"], {
    help: "what is trained with a new head, besides adapters",
    default: "nothing",
  }),
  /** The share of the steps in which the head is trained alone, before all else joins. Default 0. */
  alone: number(
    { from: 0, below: 1 },
    { help: "share of the steps in which a new head is trained alone, before adapters join", default: 0 },
  ),
  /** Decides its first numbers. Default 0. */
  seed: whole(0, { help: "decides a new head's first numbers", default: 0 }),
  /** Sizes of open dimensions of the model's inputs, where shapes depend on them, as `train` takes them. */
  dimensions: numbers({ whole: true }, {}),
};

/** What a new head can be asked for. */
export interface HeadOptions extends Omit<Given<typeof headOptions>, "outputs"> {
  /** Classes, or values to predict. */
  readonly outputs: number;
}

/** How positions become one value. */
export type Pool = NonNullable<HeadOptions["pool"]>;
