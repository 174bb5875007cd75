/** What a run is, for workers that know nothing of it: settings, model and examples, in one object. */
import { isArrayOf } from "../../arrays/kind.ts";
import { ForwardgradError, SettingError } from "../../errors/errors.ts";
import { joined, option, words } from "../../errors/words.ts";
import { modelFrom } from "../../objective/importing/model-file.ts";
import { encodeModel } from "../../onnx/encode.ts";
import type { Head } from "../../onnx/read-model.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import { asData, type Config, flattened } from "../../settings/config.ts";
import { settingOptions, type TrainOptions } from "../../train/settings/options.ts";
import { describingObjects } from "../run-kind.ts";
import type { Objects, Transport } from "../transport.ts";
import { inGranules } from "../weights/granules.ts";
import { pack, unpack } from "./packed.ts";
import { version } from "./version.ts";

const objectName = describingObjects.training;

/** What a run is: what decides all its numbers. */
export interface DescribedRun {
  /** Of the program that began it. */
  readonly version: string;
  /** As `config.json` has it. */
  readonly config: Config;
  /** Tangents of a granule. Default: a step is shared by parts of its batch. */
  readonly granule?: number | undefined;
  /** Whether granules perturb slices, where that was said. */
  readonly sliced?: boolean | undefined;
  /** The model's file. */
  readonly model: Uint8Array;
  /** Whether the model was built and never read from a file. */
  readonly isBuilt: boolean;
  /** The head that was put on it: open sizes of what it reads are −1, because there is no undefined in a file. */
  readonly head?: Head | undefined;
  /** What else `train` is asked for, as plain data. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** What may differ between those who compute the same run: last bits of derivatives may, and are in records. */
const own = new Set(["threads", "runtime", "tangentChunk"]);

/**
 * The options of a run as plain data.
 *
 * @throws SettingError for options that cannot be sent
 */
export async function describeOptions(
  options: TrainOptions,
  { granule, sliced }: Pick<DescribedRun, "granule" | "sliced">,
  config: Config,
): Promise<DescribedRun> {
  const { examples, validation, test } = options;
  for (const [name, given] of Object.entries({ examples, validation, test }))
    if (typeof given === "object" && given !== null && "stream" in given)
      throw new SettingError(
        words`${option(name)} come from a stream, which workers elsewhere cannot read; give arrays ({ inputs, labels }).`,
        { option: name },
      );
  const settings = Object.entries(options).filter(
    ([name, value]) =>
      value !== undefined &&
      Object.hasOwn(settingOptions, name) &&
      // Granules are made by whoever computes them.
      !(name === "gradient" && granule !== undefined),
  );
  return {
    ...{ version, config, granule, sliced },
    ...(await sentModel(options.model)),
    options: {
      ...Object.fromEntries(settings.map(([name, value]) => [name, asData(value)])),
      ...{ examples, validation, test },
    },
  };
}

/** A model as the file that is sent. @throws SettingError where a file would say less */
async function sentModel(
  model: TrainOptions["model"],
): Promise<Pick<DescribedRun, "model" | "isBuilt" | "head">> {
  if (isArrayOf("Uint8Array", model)) return { model: model as Uint8Array, isBuilt: false };
  const decoded = await modelFrom(model);
  const { head } = decoded;
  if (head && head.alone > 0)
    throw new SettingError(
      words`A head that is trained alone at first (${option("head.alone", head.alone)}) learns by exact gradients, which are in no record of the run; leave
        ${option("head.alone")} out, or train on one computer.`,
      { option: "head.alone" },
    );
  const bytes = encodeModel(decoded, new Map());
  const again = encodeModel(await modelFrom(bytes), new Map());
  const sent = head && { ...head, shape: head.shape.map((size) => size ?? -1) };
  return { model: bytes, isBuilt: again.length !== bytes.length, head: sent };
}

/**
 * The model that was sent. Reading a file notes of each tensor where its numbers lie, which a model that was built and never read
 * does not say; so that its file stays the same bytes, it is taken back.
 */
async function receivedModel({ model, isBuilt, head }: DescribedRun): Promise<TrainOptions["model"]> {
  if (!isBuilt && !head) return model;
  const read = await modelFrom(model);
  const shape = head?.shape.map((size) => (size === -1 ? undefined : size)) ?? [];
  const decoded = head ? { ...read, head: { ...head, shape } } : read;
  if (!isBuilt) return decoded;
  const { initializer = [], node = [] } = decoded.proto.graph ?? {};
  const constants = node.flatMap(({ attribute }) => attribute.flatMap(({ t }) => (t ? [t] : [])));
  for (const tensor of [...initializer, ...constants]) Reflect.deleteProperty(tensor, "dataLocation");
  return decoded;
}

/** @returns what the run of a transport is; undefined where there is none yet @throws StorageError where it cannot be read */
export async function readDescribed(objects: Objects): Promise<DescribedRun | undefined> {
  const bytes = await objects.get(objectName);
  return (
    bytes &&
    (unpack(bytes, `The description of the run (the object '${objectName}')`) as unknown as DescribedRun)
  );
}

/** Says what the run is. @throws ForwardgradError where it is another one already */
export async function writeDescribed(
  { objects, describe }: Transport,
  described: DescribedRun,
): Promise<void> {
  const kept = await readDescribed(objects);
  if (!kept) return objects.put(objectName, pack({ ...described }));
  requireVersion(kept, describe);
  requireSameRun(kept.config, described.config, describe);
}

/** @throws ForwardgradError where another version began the run */
export function requireVersion(kept: Pick<DescribedRun, "version">, describe: string): void {
  if (kept.version === version) return;
  throw new ForwardgradError(
    `${describe} was begun by forwardgrad ${kept.version}, and this is ${version}: another version may compute other numbers. Install ` +
      `forwardgrad@${kept.version} here, or begin another run.`,
  );
}

/** @throws ForwardgradError with what differs */
export function requireSameRun(kept: Config, here: Config, describe: string): void {
  const [theirs, ours] = [flattened(kept), flattened(here)];
  const different = Object.keys({ ...theirs, ...ours }).filter(
    (name) => !own.has(name) && (theirs[name] ?? null) !== (ours[name] ?? null),
  );
  if (different.length === 0) return;
  const list = joined(
    different.map(
      (name) =>
        words`${option(name)} is ${theirs[name] ?? "not set"} there and ${ours[name] ?? "not set"} here`,
    ),
    "; ",
  );
  throw new ForwardgradError(
    words`${describe} is another one: ${list}. Use the same settings, model and data, or name another run (${option("run", null)}).`,
  );
}

/** What `train` is asked for by a worker, which has a runtime of its own. */
export async function optionsOf(described: DescribedRun, runtime: Runtime): Promise<TrainOptions> {
  const { options, granule: size, sliced } = described;
  const model = await receivedModel(described);
  const given = { ...(options as unknown as TrainOptions), model, runtime };
  return size === undefined ? given : { ...given, gradient: inGranules({ size, sliced }) };
}
