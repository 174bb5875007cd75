/** What a model is worth on examples, with the examples that it has most wrong, as data that a report keeps. */
import { isArrayOf } from "../arrays/kind.ts";
import { type Examples, exampleSize, type ShownPositions } from "../data/dataset.ts";
import { type Column, columnWidth } from "../data/files/columns.ts";
import { resize } from "../data/pictures/resize.ts";
import type { Loss } from "../losses/loss.ts";
import { RetrievalTally } from "../metrics/retrieval.ts";
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
  /** Of a word or token: it, and what stands before and behind it. */
  readonly around?: { readonly before: string; readonly own: string; readonly after: string };
  /** What truth and taken are called, where classes have no names. */
  readonly names?: readonly [truth: string, taken: string];
  /** Of a pair of texts: the second one, the one that was nearer, and how far behind the own one comes. */
  readonly pair?: { readonly own: string; readonly found: string; readonly rank: number };
  /** The row of the table, column by column; or the first numbers of the example. */
  readonly fields?: readonly (readonly [name: string, value: string])[];
}

/** What a model is worth on examples. */
export interface Judgement
  extends Pick<
    Evaluation,
    "loss" | "accuracy" | "classification" | "regression" | "entities" | "retrieval" | "perplexity"
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
  /** How words or tokens of examples are shown. */
  readonly positions?: ShownPositions;
}

const shownMistakes = 12;

/** Runs the model over the examples once. @throws as `evaluateModel` */
export async function judgeModel({
  columns,
  texts,
  positions: shownPositions,
  ...options
}: JudgedModel): Promise<Judgement> {
  const { examples } = options;
  const worst = new Worst();
  let position = 0;
  const pairs = options.loss.together === 2 ? new RetrievalTally() : undefined;
  // Of several values an example, or of embeddings, none is what it is taken for.
  const isOne = !options.loss.together && examples.labels.length === examples.count;
  const each = examples.labels.length / examples.count;
  const evaluation = await measureModel({ ...options, parameters: {} }, (loss, shape, axis, model) => {
    const scores = openTally(loss, shape, axis, model);
    const tally: ScoreTally = {
      addClass(label, best, logit) {
        scores?.addClass?.(label, best, logit);
        const classes = axis === undefined ? 0 : (shape[axis] ?? 0);
        if ((isOne || shownPositions) && label >= 0 && label < classes && label !== best) {
          const gap = logit(best) - logit(label);
          if (worst.takes(gap + Math.log(classes))) {
            let total = 0;
            for (let index = 0; index < classes; index++) total += Math.exp(logit(index) - logit(best));
            worst.add(gap + Math.log(total), {
              ...{ at: Math.floor(position / each), position: position % each },
              ...{ truth: label, taken: best, probability: 1 / total },
            });
          }
        }
        position++;
      },
      addValues(prediction, targets, count) {
        scores?.addValues?.(prediction, targets, count);
        pairs?.add(toNumbers(prediction), prediction.shape[1] as number, count);
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
  const { loss, accuracy, classification, regression, entities, retrieval, perplexity } = evaluation;
  const scores = { loss, accuracy, classification, regression, entities, retrieval, perplexity };
  if (pairs) return { examples: examples.count, ...scores, mistakes: missedPairs(pairs, examples, texts) };
  const mistakes = worst.taken.map(({ at, position: own = 0, ...mistake }): Mistake => {
    const example = examples.origin?.[at] ?? at;
    const around = isOne ? undefined : shownPositions?.around(example, own);
    if (around) return { example, ...mistake, ...shownAround(around), ...namesOf(mistake, shownPositions) };
    const text = texts?.[example];
    const shown = text === undefined ? shownExample(examples, at, columns) : { text: beginning(text) };
    return { example, ...mistake, ...shown };
  });
  return { examples: examples.count, ...scores, mistakes };
}

/** What stands around a word, as far as a card has room for it. */
function shownAround({ before, own, after }: NonNullable<Mistake["around"]>): Pick<Mistake, "around"> {
  const [left, right] = [[...before], [...after]];
  const isCut = left.length > shownBeside;
  return {
    around: {
      before: isCut ? `… ${left.slice(-shownBeside).join("")}` : before,
      own: beginning(own),
      after: right.length > shownBeside ? `${right.slice(0, shownBeside).join("")} …` : after,
    },
  };
}

function namesOf(
  { truth, taken }: Pick<Mistake, "truth" | "taken">,
  shown: ShownPositions | undefined,
): Pick<Mistake, "names"> {
  const nameOf = shown?.nameOf;
  return nameOf ? { names: [nameOf(truth), nameOf(taken)] } : {};
}

/** Pairs whose own second text is not the nearest one. */
function missedPairs(
  pairs: RetrievalTally,
  { origin }: Examples,
  texts: readonly string[] | undefined,
): Mistake[] {
  const exampleOf = (pair: number, half: 0 | 1) => origin?.[2 * pair + half] ?? 2 * pair + half;
  const textOf = (pair: number, half: 0 | 1) => beginning(texts?.[exampleOf(pair, half)] ?? "–");
  return pairs.misses(shownMistakes).map(({ pair, taken, own, nearest, rank }) => ({
    example: Math.floor(exampleOf(pair, 0) / 2),
    ...{ truth: own, taken: nearest, text: textOf(pair, 0) },
    pair: { own: textOf(pair, 1), found: textOf(taken, 1), rank },
  }));
}

/** What is known of a mistake while examples go by. */
interface Candidate extends Pick<Mistake, "truth" | "taken" | "probability"> {
  readonly at: number;
  /** Which of the example's labels it is. */
  readonly position?: number;
}

/** The largest losses so far, of each example one. */
class Worst {
  #kept: { readonly loss: number; readonly candidate: Candidate }[] = [];

  /** Whether a loss would be among them. */
  takes(loss: number): boolean {
    const least = this.#kept.at(-1);
    return this.#kept.length < shownMistakes || !least || loss > least.loss;
  }

  add(loss: number, candidate: Candidate): void {
    if (!this.takes(loss)) return;
    const same = this.#kept.findIndex((kept) => kept.candidate.at === candidate.at);
    if (same >= 0 && !(loss > (this.#kept[same]?.loss ?? loss))) return;
    if (same >= 0) this.#kept.splice(same, 1);
    this.#kept.push({ loss, candidate });
    this.#kept.sort((a, b) => b.loss - a.loss);
    this.#kept.length = Math.min(this.#kept.length, shownMistakes);
  }

  get taken(): readonly Candidate[] {
    return this.#kept.map(({ candidate }) => candidate);
  }
}

const shownCharacters = 240;
const shownBeside = 110;

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
