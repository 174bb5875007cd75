/** Checkpoints: all that a run needs to go on, in one file. What the run's own state is, is the run's business. */
import * as z from "zod/mini";
import { isArrayOf } from "../arrays/kind.ts";
import { StorageError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { bytesOf, type Tensor } from "../onnx/tensor.ts";
import type { MetricsPosition } from "./metrics.ts";
import { checkpointFiles } from "./own-files.ts";
import type { RunConfig } from "./run-config.ts";
import { type RunStore, readFilled } from "./run-store.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";
import { sha256 } from "./sha256.ts";

type Tensors = Readonly<Record<string, Tensor>>;

/** Plain arrays by name: what an optimizer or an estimator remembers. */
export type NumberArrays = Readonly<Record<string, Float32Array | Float64Array | Int32Array>>;

/** What a run is after a step. */
export interface Snapshot<State> {
  /** Parameters and running statistics. */
  readonly parameters: Tensors;
  /** State of the optimizer, by its own names; flat arrays. */
  readonly optimizer: Readonly<Record<string, Float32Array>>;
  /** State of the estimator, by its own names; flat arrays. */
  readonly estimator: NumberArrays;
  /** All else that changes from step to step, as plain data. */
  readonly state: State;
}

/** Everything that a run needs to go on as if it had never stopped. */
export interface Checkpoint<State> extends Snapshot<State> {
  /** What had the best validation loss so far, where early stopping keeps it. */
  readonly best?: Pick<Snapshot<State>, "parameters" | "estimator"> | undefined;
  /** What the run goes back to if its default learning rate diverges; absent for rates that were given. */
  readonly good?: Snapshot<State> | undefined;
}

/** A checkpoint that was read from a store. */
export interface StoredCheckpoint<State> {
  readonly file: (typeof checkpointFiles)[number];
  /** How many checkpoints of the run came before it; 0 in files of version 0.1.0, which do not say. */
  readonly number: number;
  /** The run's configuration; absent in files of version 0.1.0. */
  readonly config?: RunConfig;
  readonly checkpoint: Checkpoint<State>;
}

/** The version of the format. Files without one are of version 0.1.0: they lack number and configuration. */
const format = "2";

/** What the plain state of a run must be, and what fills in what it lacks. */
export type StateSchema<State> = z.ZodMiniType<State>;

/** Writes a checkpoint, atomically. Its metadata carry the SHA-256 of all that it holds. */
export async function saveCheckpoint<State>(
  store: RunStore,
  checkpoint: Checkpoint<State>,
  { file, number, config }: Omit<StoredCheckpoint<State>, "checkpoint"> = {
    file: checkpointFiles[0],
    number: 0,
  },
): Promise<void> {
  const prefixed = (prefix: string, values: Tensors = {}) =>
    Object.entries(values).map(([name, tensor]) => [`${prefix}/${name}`, tensor] as const);
  const { best, good } = checkpoint;
  const tensors = Object.fromEntries([
    ...prefixed("parameter", checkpoint.parameters),
    ...prefixed("best", best?.parameters),
    ...prefixed("best-estimator", tensorsOf(best?.estimator)),
    ...prefixed("optimizer", tensorsOf(checkpoint.optimizer)),
    ...prefixed("estimator", tensorsOf(checkpoint.estimator)),
    ...prefixed("good/parameter", good?.parameters),
    ...prefixed("good/optimizer", tensorsOf(good?.optimizer)),
    ...prefixed("good/estimator", tensorsOf(good?.estimator)),
  ]);
  const texts = {
    format,
    number: `${number}`,
    ...(config && { config: JSON.stringify(config) }),
    progress: JSON.stringify(checkpoint.state),
    ...(good && { good: JSON.stringify(good.state) }),
  };
  const sha256 = await digest(tensors, texts);
  await store.write(file, encodeSafetensors(tensors, { ...texts, sha256 }));
}

/** Arrays as tensors with one axis. */
function tensorsOf(arrays: NumberArrays = {}): Tensors {
  return Object.fromEntries(
    Object.entries(arrays).map(([name, data]) => [
      name,
      { dtype: dtypeOf(data), shape: [data.length], data },
    ]),
  );
}

function dtypeOf(data: unknown): "float32" | "float64" | "int32" {
  return isArrayOf("Float32Array", data) ? "float32" : isArrayOf("Float64Array", data) ? "float64" : "int32";
}

/**
 * Reads the newest checkpoint of a run that is whole.
 *
 * @param schema what the run's state must be
 * @returns `newest`: undefined where none is whole; `problems`: what is wrong with the others
 */
export async function loadCheckpoints<State>(
  store: RunStore,
  schema: StateSchema<State>,
): Promise<{ readonly newest: StoredCheckpoint<State> | undefined; readonly problems: readonly string[] }> {
  let newest: StoredCheckpoint<State> | undefined;
  const problems: string[] = [];
  for (const file of checkpointFiles) {
    // What cannot be read now, could be replaced by an older state: that is for the user to decide.
    const bytes = await readFilled(store, file);
    try {
      const stored = bytes && (await decodeCheckpoint(bytes, file, schema, `${store.describe}/${file}`));
      if (stored && (!newest || stored.number > newest.number)) newest = stored;
    } catch (error) {
      problems.push((error as Error).message);
    }
  }
  return { newest, problems };
}

/**
 * Reads the newest checkpoint of a run; undefined where there is none.
 * @throws when none is whole
 */
export async function loadCheckpoint<State>(
  store: RunStore,
  schema: StateSchema<State>,
): Promise<Checkpoint<State> | undefined> {
  const { newest, problems } = await loadCheckpoints(store, schema);
  if (newest || problems.length === 0) return newest?.checkpoint;
  throw new StorageError(
    words`${problems.join(" ")} Restore a checkpoint from a backup, or start again in another folder
      (${option("store")}).`,
  );
}

const texts = z.object({
  format: z.optional(z.string()),
  number: z._default(z.string().check(z.regex(/^\d{1,15}$/)), "0"),
  config: z.optional(z.string()),
  progress: z.string(),
  good: z.optional(z.string()),
  sha256: z.string(),
});

async function decodeCheckpoint<State>(
  bytes: Uint8Array,
  file: StoredCheckpoint<State>["file"],
  schema: StateSchema<State>,
  source: string,
): Promise<StoredCheckpoint<State>> {
  const { tensors, metadata } = decodeSafetensors(bytes, source);
  const parsed = texts.safeParse(metadata);
  if (!parsed.success) {
    const fields = parsed.error.issues.map(({ path }) => `'${path.join(".")}'`);
    throw new StorageError(
      `${source} is no checkpoint: its metadata lack ${fields.join(", ")}, or have another kind of value.`,
      { path: source },
    );
  }
  const { sha256, ...rest } = parsed.data;
  if (rest.format !== undefined && rest.format !== format) {
    throw new StorageError(
      `${source} has the format ${JSON.stringify(rest.format)}, and this version reads ${format}; use the version that wrote it.`,
      { path: source },
    );
  }
  const expected =
    rest.format === undefined ? await oldDigest(tensors, rest.progress) : await digest(tensors, rest);
  if (sha256 !== expected) {
    throw new StorageError(
      `${source} does not match its own checksum: it was damaged after it was written.`,
      { path: source },
    );
  }
  const pick = (prefix: string) =>
    Object.entries(tensors).flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
    );
  const stray = Object.keys(tensors).find((name) => !prefixes.test(name));
  if (stray !== undefined)
    throw new StorageError(`${source} holds '${stray}', which no checkpoint has.`, { path: source });
  const snapshot = (prefix: string, text: string): Snapshot<State> => ({
    parameters: Object.fromEntries(pick(`${prefix}parameter/`)),
    optimizer: Object.fromEntries(
      pick(`${prefix}optimizer/`).map(([name, tensor]) => [name, floatsOf(tensor, name, source)]),
    ),
    estimator: arraysOf(pick(`${prefix}estimator/`), source),
    state: parseState(text, schema, source),
  });
  const best = Object.fromEntries(pick("best/"));
  return {
    file,
    number: Number(rest.number),
    config: rest.config === undefined ? undefined : (JSON.parse(rest.config) as RunConfig),
    checkpoint: {
      ...snapshot("", rest.progress),
      best:
        Object.keys(best).length > 0
          ? { parameters: best, estimator: arraysOf(pick("best-estimator/"), source) }
          : undefined,
      good: rest.good === undefined ? undefined : snapshot("good/", rest.good),
    },
  };
}

const prefixes =
  /^(parameter|optimizer|estimator|best|best-estimator|good\/(parameter|optimizer|estimator))\//;

/** @throws when a text is no run's state, or its numbers are out of bounds */
function parseState<State>(text: string, schema: StateSchema<State>, source: string): State {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new StorageError(
      `${source} holds no state of a run that can be read: ${(cause as Error).message}.`,
      { path: source, cause },
    );
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { issues } = parsed.error;
  const fields = issues.filter(({ code }) => code !== "custom").map(({ path }) => `'${path.join(".")}'`);
  // What is wrong with all of it together is said in the schema's own words.
  if (fields.length === 0) throw new StorageError(`${source} ${issues[0]?.message}.`, { path: source });
  throw new StorageError(
    `${source} holds a state that no run has: ${fields.join(", ")} missing or out of bounds.`,
    { path: source },
  );
}

function floatsOf({ dtype, data }: Tensor, name: string, source: string): Float32Array {
  if (dtype === "float32") return data as Float32Array;
  throw new StorageError(`${source}: the optimizer's '${name}' is ${dtype}, expected float32.`, {
    path: source,
  });
}

function arraysOf(tensors: readonly (readonly [string, Tensor])[], source: string): NumberArrays {
  return Object.fromEntries(
    tensors.map(([name, { dtype, data }]) => {
      if (dtype !== "float32" && dtype !== "float64" && dtype !== "int32")
        throw new StorageError(
          `${source}: the estimator's '${name}' is ${dtype}, expected float32, float64 or int32.`,
          { path: source },
        );
      return [name, data as Float32Array | Float64Array | Int32Array];
    }),
  );
}

/**
 * Checks that a checkpoint fits the run: the same tensors with the same types and shapes, and no more steps than the run
 * has.
 *
 * @throws with the first difference
 */
export function checkCheckpoint<State extends MetricsPosition>(
  { file, checkpoint }: StoredCheckpoint<State>,
  source: string,
  expected: Omit<Snapshot<unknown>, "state"> & { readonly steps: number },
): void {
  const { best, state, good } = checkpoint;
  const pairs = [
    ...fittings(checkpoint, expected),
    ...fittings(best && { ...best, optimizer: {} }, best && { ...expected, optimizer: {} }),
    ...fittings(good, good && expected),
  ];
  for (const [received, wanted] of pairs) {
    const more = received.find((entry) => !wanted.includes(entry));
    const less = wanted.find((entry) => !received.includes(entry));
    if (more === undefined && less === undefined) continue;
    throw new StorageError(
      words`${source}/${file} does not fit this run: it holds ${more ?? "nothing else"} where the run has
        ${less ?? "nothing"}. It belongs to another run: restore the right one, or choose another folder
        (${option("store")}).`,
      { path: `${source}/${file}` },
    );
  }
  if (state.step > expected.steps) {
    throw new StorageError(
      words`${source}/${file} is at step ${state.step} of a run of ${expected.steps}. It belongs to another run:
        restore the right one, or choose another folder (${option("store")}).`,
      { path: `${source}/${file}` },
    );
  }
}

/** What a snapshot holds, in words, beside what it should hold. */
function fittings(
  held: Omit<Snapshot<unknown>, "state"> = nothing,
  wanted: Omit<Snapshot<unknown>, "state"> = nothing,
): (readonly [held: readonly string[], wanted: readonly string[]])[] {
  const shapes = (tensors: Tensors) =>
    Object.entries(tensors).map(([name, { dtype, shape }]) => `${name}: ${dtype} [${shape.join(", ")}]`);
  const lengths = (arrays: NumberArrays) =>
    Object.entries(arrays).map(([name, { length }]) => `${name}: ${length} numbers`);
  return [
    [shapes(held.parameters), shapes(wanted.parameters)],
    [lengths(held.optimizer), lengths(wanted.optimizer)],
    [shapes(tensorsOf(held.estimator)), shapes(tensorsOf(wanted.estimator))],
  ];
}

const nothing = { parameters: {}, optimizer: {}, estimator: {} };

/** SHA-256 over the texts and, tensor by tensor in the order of names, name, type, shape and numbers. */
async function digest(
  tensors: Readonly<Record<string, Tensor>>,
  { format: version, number, config, progress, good }: Omit<z.infer<typeof texts>, "sha256">,
): Promise<string> {
  const lines = [JSON.stringify([version, number, config, progress, ...(good === undefined ? [] : [good])])];
  for (const [name, { dtype, shape, data }] of sorted(tensors))
    lines.push(JSON.stringify([name, dtype, shape, await sha256(bytesOf(data))]));
  return sha256(new TextEncoder().encode(lines.join("\n")));
}

/** As version 0.1.0 did: without types and shapes. */
async function oldDigest(tensors: Readonly<Record<string, Tensor>>, progress: string): Promise<string> {
  const parts = [progress];
  for (const [name, { data }] of sorted(tensors)) parts.push(`${name}:${await sha256(bytesOf(data))};`);
  return sha256(new TextEncoder().encode(parts.join("")));
}

function sorted(tensors: Readonly<Record<string, Tensor>>): [string, Tensor][] {
  return Object.entries(tensors).sort(([a], [b]) => (a < b ? -1 : 1));
}
