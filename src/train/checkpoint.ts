import * as z from "zod/mini";
import { bytesOf, type Tensor } from "../onnx/tensor.ts";
import type { Arrays } from "../optim/optimizer.ts";
import { checkpointFiles } from "../storage/own-files.ts";
import type { RunConfig } from "../storage/run-config.ts";
import { type RunStore, readFilled } from "../storage/run-store.ts";
import { decodeSafetensors, encodeSafetensors } from "../storage/safetensors.ts";
import { type Progress, parseProgress } from "./progress.ts";
import type { GoodState } from "./recovery.ts";

/** Everything that a run needs to go on as if it had never stopped. */
export interface Checkpoint {
  readonly parameters: Readonly<Record<string, Tensor>>;
  readonly optimizer: Arrays;
  /** The parameters with the best validation loss so far, where early stopping keeps them. */
  readonly best?: Readonly<Record<string, Tensor>>;
  readonly progress: Progress;
  /** What the run goes back to if its default learning rate diverges; absent once it did, and for rates that were given. */
  readonly good?: GoodState;
}

/** A checkpoint that was read from a store. */
export interface StoredCheckpoint {
  readonly file: (typeof checkpointFiles)[number];
  /** How many checkpoints of the run came before it; 0 in files of version 0.1.0, which do not say. */
  readonly number: number;
  /** The run's configuration; absent in files of version 0.1.0. */
  readonly config?: RunConfig;
  readonly checkpoint: Checkpoint;
}

/** The version of the format. Files without one are of version 0.1.0: they lack number and configuration. */
const format = "2";

/** Writes a checkpoint, atomically. Its metadata carry the SHA-256 of all that it holds. */
export async function saveCheckpoint(
  store: RunStore,
  checkpoint: Checkpoint,
  { file, number, config }: Omit<StoredCheckpoint, "checkpoint"> = { file: checkpointFiles[0], number: 0 },
): Promise<void> {
  const prefixed = (prefix: string, values: Readonly<Record<string, Tensor>> = {}) =>
    Object.entries(values).map(([name, tensor]) => [`${prefix}/${name}`, tensor] as const);
  const { good } = checkpoint;
  const arrays = (values: Arrays = {}) =>
    Object.fromEntries(
      Object.entries(values).map(([name, data]) => [
        name,
        { dtype: "float32", shape: [data.length], data } as const,
      ]),
    );
  const tensors = Object.fromEntries([
    ...prefixed("parameter", checkpoint.parameters),
    ...prefixed("best", checkpoint.best),
    ...prefixed("optimizer", arrays(checkpoint.optimizer)),
    ...prefixed("good/parameter", good?.parameters),
    ...prefixed("good/optimizer", arrays(good?.optimizer)),
  ]);
  const texts = {
    format,
    number: `${number}`,
    ...(config && { config: JSON.stringify(config) }),
    progress: JSON.stringify(checkpoint.progress),
    ...(good && { good: JSON.stringify(good.progress) }),
  };
  const sha256 = await digest(tensors, texts);
  await store.write(file, encodeSafetensors(tensors, { ...texts, sha256 }));
}

/**
 * Reads the newest checkpoint of a run that is whole.
 *
 * @returns `newest`: undefined where none is whole; `problems`: what is wrong with the others
 */
export async function loadCheckpoints(
  store: RunStore,
): Promise<{ readonly newest: StoredCheckpoint | undefined; readonly problems: readonly string[] }> {
  let newest: StoredCheckpoint | undefined;
  const problems: string[] = [];
  for (const file of checkpointFiles) {
    // What cannot be read now, could be replaced by an older state: that is for the user to decide.
    const bytes = await readFilled(store, file);
    try {
      const stored = bytes && (await decodeCheckpoint(bytes, file, `${store.describe}/${file}`));
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
export async function loadCheckpoint(store: RunStore): Promise<Checkpoint | undefined> {
  const { newest, problems } = await loadCheckpoints(store);
  if (newest || problems.length === 0) return newest?.checkpoint;
  throw new Error(
    `${problems.join(" ")} Restore a checkpoint from a backup, or start again in another folder (--out).`,
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

async function decodeCheckpoint(
  bytes: Uint8Array,
  file: StoredCheckpoint["file"],
  source: string,
): Promise<StoredCheckpoint> {
  const { tensors, metadata } = decodeSafetensors(bytes, source);
  const parsed = texts.safeParse(metadata);
  if (!parsed.success) {
    const fields = parsed.error.issues.map(({ path }) => `'${path.join(".")}'`);
    throw new Error(
      `${source} is no checkpoint: its metadata lack ${fields.join(", ")}, or have another kind of value.`,
    );
  }
  const { sha256, ...rest } = parsed.data;
  if (rest.format !== undefined && rest.format !== format) {
    throw new Error(
      `${source} has the format ${JSON.stringify(rest.format)}, and this version reads ${format}; use the version that wrote it.`,
    );
  }
  const expected =
    rest.format === undefined ? await oldDigest(tensors, rest.progress) : await digest(tensors, rest);
  if (sha256 !== expected) {
    throw new Error(`${source} does not match its own checksum: it was damaged after it was written.`);
  }
  const pick = (prefix: string) =>
    Object.entries(tensors).flatMap(([name, tensor]) =>
      name.startsWith(prefix) ? [[name.slice(prefix.length), tensor] as const] : [],
    );
  const floats = (prefix: string) =>
    Object.fromEntries(pick(prefix).map(([name, tensor]) => [name, floatsOf(tensor, name, source)]));
  const best = Object.fromEntries(pick("best/"));
  const stray = Object.keys(tensors).find(
    (name) => !/^(parameter|optimizer|best|good\/(parameter|optimizer))\//.test(name),
  );
  if (stray !== undefined) throw new Error(`${source} holds '${stray}', which no checkpoint has.`);
  return {
    file,
    number: Number(rest.number),
    config: rest.config === undefined ? undefined : (JSON.parse(rest.config) as RunConfig),
    checkpoint: {
      parameters: Object.fromEntries(pick("parameter/")),
      best: Object.keys(best).length > 0 ? best : undefined,
      optimizer: floats("optimizer/"),
      progress: parseProgress(rest.progress, source),
      good:
        rest.good === undefined
          ? undefined
          : {
              parameters: Object.fromEntries(pick("good/parameter/")),
              optimizer: floats("good/optimizer/"),
              progress: parseProgress(rest.good, source),
            },
    },
  };
}

function floatsOf({ dtype, data }: Tensor, name: string, source: string): Float32Array {
  if (dtype === "float32") return data as Float32Array;
  throw new Error(`${source}: the optimizer's '${name}' is ${dtype}, expected float32.`);
}

/**
 * Checks that a checkpoint fits the run: the same tensors with the same types and shapes, and no more steps than the run
 * has.
 *
 * @throws with the first difference
 */
export function checkCheckpoint(
  { file, checkpoint }: StoredCheckpoint,
  source: string,
  expected: {
    readonly parameters: Readonly<Record<string, Tensor>>;
    readonly optimizer: Arrays;
    readonly steps: number;
  },
): void {
  const { parameters, best, optimizer, progress, good } = checkpoint;
  const shapes = (tensors: Readonly<Record<string, Tensor>>) =>
    Object.entries(tensors).map(([name, { dtype, shape }]) => `${name}: ${dtype} [${shape.join(", ")}]`);
  const lengths = (arrays: Arrays) =>
    Object.entries(arrays).map(([name, { length }]) => `${name}: ${length} numbers`);
  const pairs = [
    [shapes(parameters), shapes(expected.parameters)],
    [best ? shapes(best) : [], best ? shapes(expected.parameters) : []],
    [lengths(optimizer), lengths(expected.optimizer)],
    [good ? shapes(good.parameters) : [], good ? shapes(expected.parameters) : []],
    [good ? lengths(good.optimizer) : [], good ? lengths(expected.optimizer) : []],
  ] as const;
  for (const [received, wanted] of pairs) {
    const more = received.find((entry) => !wanted.includes(entry));
    const less = wanted.find((entry) => !received.includes(entry));
    if (more === undefined && less === undefined) continue;
    throw new Error(
      `${source}/${file} does not fit this run: it holds ${more ?? "nothing else"} where the run has ${less ?? "nothing"}. ` +
        "It belongs to another run: restore the right one, or choose another folder (--out).",
    );
  }
  if (progress.step > expected.steps) {
    throw new Error(
      `${source}/${file} is at step ${progress.step} of a run of ${expected.steps}. It belongs to another run: restore the ` +
        "right one, or choose another folder (--out).",
    );
  }
}

/** SHA-256 over the texts and, tensor by tensor in the order of names, name, type, shape and numbers. */
async function digest(
  tensors: Readonly<Record<string, Tensor>>,
  { format: version, number, config, progress, good }: Omit<z.infer<typeof texts>, "sha256">,
): Promise<string> {
  const lines = [JSON.stringify([version, number, config, progress, ...(good === undefined ? [] : [good])])];
  for (const [name, { dtype, shape, data }] of sorted(tensors))
    lines.push(JSON.stringify([name, dtype, shape, await sha256Of(bytesOf(data))]));
  return sha256Of(new TextEncoder().encode(lines.join("\n")));
}

/** As version 0.1.0 did: without types and shapes. */
async function oldDigest(tensors: Readonly<Record<string, Tensor>>, progress: string): Promise<string> {
  const parts = [progress];
  for (const [name, { data }] of sorted(tensors)) parts.push(`${name}:${await sha256Of(bytesOf(data))};`);
  return sha256Of(new TextEncoder().encode(parts.join("")));
}

function sorted(tensors: Readonly<Record<string, Tensor>>): [string, Tensor][] {
  return Object.entries(tensors).sort(([a], [b]) => (a < b ? -1 : 1));
}

async function sha256Of(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
