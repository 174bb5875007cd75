/** A stream of examples as a run reads it: the first ones for what follows from shapes, and passes for its batches. */
import type { Examples } from "../../data/dataset.ts";
import { arraysOf, ExampleRows } from "../../data/example-rows.ts";
import { defaultBuffer, type ExampleStream, type StreamedExample } from "../../data/example-stream.ts";
import { DataError, SettingError } from "../../errors/errors.ts";
import { option as mention, words } from "../../errors/words.ts";
import type { Loss } from "../../losses/loss.ts";
import type { Model } from "../../onnx/read-model.ts";
import { bytesOf } from "../../onnx/tensor.ts";
import { shown } from "../../settings/check.ts";
import { crc32 } from "../../storage/metrics.ts";
import { examplesFor } from "../example-arrays.ts";

/** A stream whose beginning was read. */
export interface OpenStream {
  /** Examples of a pass. */
  readonly count: number;
  /** How many of them are in memory. */
  readonly buffer: number;
  /** As many as the buffer holds, from the beginning of the first pass. */
  readonly first: Examples;
  /** CRC-32 of the first pass where it was counted; 0 where its length was given. */
  readonly sum: number;
  /** The examples of a pass, one by one, `count` of them. @throws DataError where fewer come */
  pass(pass: number): AsyncGenerator<Examples, void>;
}

/**
 * Reads the beginning of a stream, and all of its first pass where its length was not given.
 *
 * @throws SettingError for what is no stream; DataError where it is empty, ends early, or its examples are not all of one shape
 */
export async function openStream(
  model: Model,
  given: ExampleStream,
  read: { readonly loss: Loss; readonly input: string | undefined },
): Promise<OpenStream> {
  check(given);
  const { count: said, buffer: asked = defaultBuffer } = given;
  const from = (pass: number) => examplesOf(model, given, pass, read);
  const counted = said === undefined ? await countOf(from(0)) : { count: said, sum: 0 };
  const { count } = counted;
  const buffer = Math.min(asked, count);
  async function* pass(number: number): AsyncGenerator<Examples, void> {
    let come = 0;
    if (count > 0)
      for await (const example of from(number)) {
        yield example;
        if (++come === count) return;
      }
    throw new DataError(
      words`The stream ended after ${come.toLocaleString("en")} examples of pass ${number}, expected ${count.toLocaleString("en")}; give as
        many in each pass, or say how many there are (${mention("examples.count")}).`,
    );
  }
  let rows: ExampleRows | undefined;
  let filled = 0;
  for await (const example of pass(0)) {
    rows ??= new ExampleRows(example, buffer);
    rows.write(filled++, example);
    if (filled === buffer) break;
  }
  return { ...counted, buffer, first: (rows as ExampleRows).examples, pass };
}

function check(given: ExampleStream): void {
  const refuse = (name: string, expected: string, received: unknown) => {
    throw new SettingError(
      words`${mention(`examples.${name}`)} must be ${expected}, received ${shown(received)}.`,
      { option: `examples.${name}` },
    );
  };
  const stray = Object.keys(given).find((key) => !["stream", "count", "buffer"].includes(key));
  if (stray !== undefined)
    throw new SettingError(
      words`${mention("examples")} of a stream takes stream, count and buffer, received '${stray}'; leave it out.`,
      { option: `examples.${stray}` },
    );
  if (typeof given.stream !== "function") refuse("stream", "a function that begins a pass", given.stream);
  for (const name of ["count", "buffer"] as const)
    if (given[name] !== undefined && !(Number.isSafeInteger(given[name]) && given[name] >= 1))
      refuse(name, "a whole number from 1", given[name]);
}

/** The examples of a pass in the form that runs read, as many as come. */
async function* examplesOf(
  model: Model,
  { stream }: ExampleStream,
  pass: number,
  { loss, input }: { readonly loss: Loss; readonly input: string | undefined },
): AsyncGenerator<Examples, void> {
  const reading = { loss, ...(input !== undefined && { input }), option: "examples.stream" };
  const items: unknown = stream(pass);
  const isIterable =
    typeof items === "object" &&
    items !== null &&
    (Symbol.asyncIterator in items || Symbol.iterator in items);
  if (!isIterable)
    throw new SettingError(
      words`${mention("examples.stream")} must give what can be iterated, received ${shown(items)}; return an async generator,
        a ReadableStream of examples, or a list.`,
      { option: "examples.stream" },
    );
  let number = 0;
  for await (const item of items as AsyncIterable<StreamedExample>) {
    const { labels } = item;
    const one = { ...item, count: 1, labels: typeof labels === "number" ? [labels] : labels };
    yield { ...(await examplesFor(model, one, reading)), origin: Uint32Array.of(number++) };
  }
}

async function countOf(examples: AsyncIterable<Examples>): Promise<Pick<OpenStream, "count" | "sum">> {
  let [count, sum] = [0, 0];
  for await (const example of examples) {
    count++;
    sum = sumAfter(example, sum);
  }
  if (count > 0) return { count, sum };
  throw new DataError("The stream has no examples; give at least one.");
}

/** The sum of all examples before and this one. */
export function sumAfter(example: Examples, before: number): number {
  return arraysOf(example).reduce((sum, { values }) => crc32(bytesOf(values), sum), before);
}
