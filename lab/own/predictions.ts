/** What a model said of some examples before it was trained, beside what it says now. */
import type { Examples } from "forwardgrad/data";
import { element } from "../elements.ts";
import type { ReadData } from "./asked.ts";

/** Examples whose answers are counted, and of these the ones that are shown. */
const [mostCounted, mostShown] = [200, 8];

/** An example as the table shows it. */
export interface Shown {
  /** A picture's numbers, row by row, white to black or RGB; or else words. */
  readonly pixels?: { readonly width: number; readonly height: number; readonly values: readonly number[] };
  readonly words?: string;
  readonly truth: string;
  readonly before: string;
  readonly now: string;
}

/** The first test examples, whose answers are counted. */
export function countedOf({ test }: ReadData): Omit<Examples, "labels"> {
  const count = Math.min(mostCounted, test.count);
  const size = (shape: readonly number[]) => shape.reduce((product, length) => product * length, count);
  const further = Object.entries(test.furtherInputs ?? {}).map(([name, { shape, values }]) => [
    name,
    { shape, values: values.slice(0, size(shape)) },
  ]);
  return {
    ...{ count, shape: test.shape, inputs: test.inputs.slice(0, size(test.shape)) },
    ...(further.length > 0 && { furtherInputs: Object.fromEntries(further) }),
  };
}

/** The likeliest class of each row. */
function classesOf(outputs: ArrayLike<number>, count: number): number[] {
  const width = outputs.length / count;
  return Array.from({ length: count }, (_, row) => {
    const own = Array.from({ length: width }, (_, at) => outputs[row * width + at] ?? 0);
    return own.indexOf(Math.max(...own));
  });
}

/** The share that is right, or of values the mean distance, with its words. */
export function score(
  { test, classes }: ReadData,
  outputs: ArrayLike<number>,
): { readonly value: number; readonly words: string } {
  const count = Math.min(mostCounted, test.count);
  if (classes === 0) {
    let sum = 0;
    for (let at = 0; at < outputs.length; at++) sum += Math.abs((outputs[at] ?? 0) - (test.labels[at] ?? 0));
    const value = sum / outputs.length;
    return { value, words: `${value.toPrecision(3)} off` };
  }
  const right = classesOf(outputs, count).filter((label, row) => label === test.labels[row]).length;
  return { value: right / count, words: `${((100 * right) / count).toFixed(0)} %` };
}

/** The first examples with both answers. */
export function shownOf(data: ReadData, before: ArrayLike<number>, now: ArrayLike<number>): Shown[] {
  const { test, classes, classNames, shownTexts } = data;
  const count = Math.min(mostCounted, test.count);
  const name = (label: number | undefined) => classNames?.[label ?? 0] ?? String(label);
  const each = (outputs: ArrayLike<number>) =>
    classes > 0
      ? classesOf(outputs, count).map(name)
      : Array.from({ length: count }, (_, row) => {
          const width = outputs.length / count;
          const own = Array.from({ length: width }, (_, at) => outputs[row * width + at] ?? 0);
          return own.map((value) => value.toPrecision(4)).join(", ");
        });
  const [old, fresh] = [each(before), each(now)];
  const width = test.labels.length / test.count;
  return Array.from({ length: Math.min(mostShown, count) }, (_, row): Shown => {
    const labels = Array.from(test.labels.slice(row * width, (row + 1) * width));
    const text = shownTexts?.[test.origin?.[row] ?? row];
    return {
      ...(text === undefined ? exampleOf(data, row) : { words: text }),
      truth: classes > 0 ? name(labels[0]) : labels.map((value) => value.toPrecision(4)).join(", "),
      before: old[row] ?? "",
      now: fresh[row] ?? "",
    };
  });
}

/** A picture, where numbers are one; otherwise the first of them. */
function exampleOf({ test, columns }: ReadData, row: number): Pick<Shown, "pixels" | "words"> {
  const size = test.shape.reduce((product, length) => product * length, 1);
  const values = Array.from(test.inputs.slice(row * size, (row + 1) * size));
  const [channels = 0, height = 0, width = 0] = test.shape;
  if (test.shape.length === 3 && (channels === 1 || channels === 3))
    return { pixels: { width, height, values } };
  const side = Math.sqrt(size);
  if (Number.isInteger(side) && columns?.every(({ name }) => name.startsWith("pixel")))
    return { pixels: { width: side, height: side, values } };
  const named = values.slice(0, 3).map((value, at) => {
    const column = columns?.length === size ? `${columns[at]?.name}: ` : "";
    return `${column}${Number(value.toPrecision(4))}`;
  });
  return { words: `${named.join(", ")}${size > 3 ? ", …" : ""}` };
}

/** Fills the table. */
export function showPredictions(rows: readonly Shown[]): void {
  element("own-predictions", HTMLTableSectionElement).replaceChildren(
    ...rows.map(({ pixels, words, truth, before, now }) => {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.append(pixels ? pictureOf(pixels) : (words ?? ""));
      row.append(head, cell(truth), cell(before, before !== truth), cell(now, now !== truth));
      return row;
    }),
  );
}

function cell(words: string, isWrong = false): HTMLTableCellElement {
  const made = document.createElement("td");
  made.textContent = words;
  made.classList.toggle("wrong", isWrong && !/[.,]/.test(words));
  return made;
}

/** Dark ink on white paper; of three planes, their colors. */
function pictureOf({ width, height, values }: NonNullable<Shown["pixels"]>): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.className = "digit small";
  canvas.role = "img";
  canvas.ariaLabel = "picture";
  canvas.width = width;
  canvas.height = height;
  const plane = width * height;
  const isColored = values.length === 3 * plane;
  const most = Math.max(1e-9, ...values);
  const image = new ImageData(width, height);
  for (let pixel = 0; pixel < plane; pixel++) {
    const colors = [0, 1, 2].map((channel) => {
      const light = (values[(isColored ? channel * plane : 0) + pixel] ?? 0) / most;
      return 255 * (isColored ? light : 1 - light);
    });
    image.data.set([...colors, 255], 4 * pixel);
  }
  canvas.getContext("2d")?.putImageData(image, 0, 0);
  return canvas;
}
