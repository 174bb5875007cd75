/** What a model is worth on examples, with the examples that it has most wrong, as data that a report keeps. */
import { isArrayOf } from "../arrays/kind.ts";
import { type Examples, exampleSize } from "../data/dataset.ts";
import { type Column, columnWidth } from "../data/files/columns.ts";
import { resize } from "../data/pictures/resize.ts";
import type { Loss } from "../losses/loss.ts";
import type { InputChoice } from "../objective/model-inputs.ts";
import type { Model } from "../onnx/read-model.ts";
import { toNumbers } from "../onnx/tensor.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Evaluation, measureModel } from "../train/evaluation/measure-model.ts";
import { openTally, type ScoreTally } from "../train/evaluation/score-tally.ts";
import { pictureUrl } from "./png.ts";

/** An example that a model has wrong. */
export interface Mistake {
  /** Its number in the data that it was taken from. */
  readonly example: number;
  /** What it is: the number of a class, or a value. */
  readonly truth: number;
  /** What it is taken for. */
  readonly taken: number;
  /** Of a class: the probability of what it is taken for. */
  readonly probability?: number;
  /** The picture, as the address of a PNG. */
  readonly picture?: string;
  /** Its text, or the beginning of it. */
  readonly text?: string;
  /** The row of the table, column by column; or the first numbers of the example. */
  readonly fields?: readonly (readonly [name: string, value: string])[];
}

/** What a model is worth on examples. */
export interface Judgement
  extends Pick<
    Evaluation,
    "loss" | "accuracy" | "classification" | "regression" | "entities" | "perplexity"
  > {
  readonly examples: number;
  readonly mistakes: readonly Mistake[];
}

/** What is judged, and by what. */
export interface JudgedModel extends InputChoice {
  readonly model: Model;
  readonly examples: Examples;
  readonly loss: Loss;
  readonly output?: string;
  readonly runtime: Runtime;
  /** How the columns of a table became inputs. */
  readonly columns?: readonly Column[];
  /** The texts of examples, by their numbers in the data. */
  readonly texts?: readonly string[];
}

const shownMistakes = 12;

/** Runs the model over the examples once. @throws as `evaluateModel` */
export async function judgeModel({ columns, texts, ...options }: JudgedModel): Promise<Judgement> {
  const { examples } = options;
  const worst = new Worst();
  let position = 0;
  const isOne = examples.labels.length === examples.count;
  const evaluation = await measureModel({ ...options, parameters: {} }, (loss, shape, axis, model) => {
    const scores = openTally(loss, shape, axis, model);
    const tally: ScoreTally = {
      addClass(label, best, logit) {
        scores?.addClass?.(label, best, logit);
        if (isOne && axis !== undefined && label >= 0 && label !== best) {
          const classes = shape[axis] ?? 0;
          const all = Array.from({ length: classes }, (_, index) => logit(index));
          const most = Math.max(...all);
          const total = all.reduce((sum, each) => sum + Math.exp(each - most), 0);
          const truth = logit(label) - most;
          worst.add(-truth + Math.log(total), {
            at: position,
            truth: label,
            taken: best,
            probability: 1 / total,
          });
        }
        position++;
      },
      addValues(prediction, targets, count) {
        scores?.addValues?.(prediction, targets, count);
        // Of several values an example, none is what it is taken for.
        if (axis !== undefined || !isOne) return;
        const values = toNumbers(prediction);
        for (let row = 0; row < count; row++, position++) {
          const [truth, taken] = [Number(targets[row]), values[row] as number];
          worst.add(Math.abs(truth - taken), { at: position, truth, taken });
        }
      },
      scores: (mean) => scores?.scores(mean) ?? {},
    };
    return tally;
  });
  const { loss, accuracy, classification, regression, entities, perplexity } = evaluation;
  const scores = { loss, accuracy, classification, regression, entities, perplexity };
  const mistakes = worst.taken.map(({ at, ...mistake }) => {
    const example = examples.origin?.[at] ?? at;
    const text = texts?.[example];
    const shown = text === undefined ? shownExample(examples, at, columns) : { text: beginning(text) };
    return { example, ...mistake, ...shown };
  });
  return { examples: examples.count, ...scores, mistakes };
}

/** What is known of a mistake while examples go by. */
interface Candidate extends Pick<Mistake, "truth" | "taken" | "probability"> {
  readonly at: number;
}

/** The largest losses so far. */
class Worst {
  #kept: { readonly loss: number; readonly candidate: Candidate }[] = [];

  add(loss: number, candidate: Candidate): void {
    const least = this.#kept.at(-1);
    if (this.#kept.length === shownMistakes && least && !(loss > least.loss)) return;
    this.#kept.push({ loss, candidate });
    this.#kept.sort((a, b) => b.loss - a.loss);
    this.#kept.length = Math.min(this.#kept.length, shownMistakes);
  }

  get taken(): readonly Candidate[] {
    return this.#kept.map(({ candidate }) => candidate);
  }
}

const shownCharacters = 240;

function beginning(text: string): string {
  const characters = [...text];
  return characters.length > shownCharacters ? `${characters.slice(0, shownCharacters).join("")} …` : text;
}

/** The longer side of a picture in a report, in pixels. */
const pictureSide = 96;
const shownFields = 12;

/** An example as people look at it: a picture, a row, or its first numbers. */
function shownExample(
  examples: Examples,
  at: number,
  columns: readonly Column[] | undefined,
): Pick<Mistake, "picture" | "fields"> {
  const size = exampleSize(examples);
  const own = examples.inputs.subarray(at * size, (at + 1) * size);
  const [channels, height = 0, width = 0] = examples.shape;
  if (examples.shape.length === 3 && (channels === 1 || channels === 3)) {
    const plane = width * height;
    const data = new Uint8Array(size);
    for (let pixel = 0; pixel < plane; pixel++)
      for (let channel = 0; channel < channels; channel++)
        data[pixel * channels + channel] = level(own[channel * plane + pixel] as number, own);
    const scale = Math.min(1, pictureSide / Math.max(width, height));
    const [across, down] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
    const small = resize({ width, height, channels, data }, across, down);
    return { picture: pictureUrl(small.data, small.width, small.height, channels) };
  }
  if (!columns) {
    const fields = Array.from(
      own.subarray(0, shownFields),
      (value, index) => [`${index}`, short(value)] as const,
    );
    return { fields: size > shownFields ? [...fields, ["…", `${size - shownFields} more`]] : fields };
  }
  let start = 0;
  const fields = columns.map((column) => {
    const values = own.subarray(start, start + columnWidth(column));
    start += columnWidth(column);
    const value =
      column.kind === "number" ? short(values[0] as number) : column.categories[values.indexOf(1)];
    return [column.name, value ?? "–"] as const;
  });
  return { fields };
}

/** A pixel from 0 to 255; floats are from 0 to 1. */
function level(value: number, own: Uint8Array | Float32Array): number {
  return isArrayOf("Uint8Array", own) ? value : Math.min(255, Math.max(0, Math.round(255 * value)));
}

function short(value: number): string {
  return String(Number(value.toPrecision(6)));
}
