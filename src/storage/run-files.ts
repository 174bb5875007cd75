/** The files of one run: opened, checked against what the run is, written as it goes on. */
import { areSameBytes } from "../arrays/same-bytes.ts";
import { StorageError } from "../errors/errors.ts";
import { option, type Words, words } from "../errors/words.ts";
import {
  type Checkpoint,
  checkCheckpoint,
  loadCheckpoint,
  loadCheckpoints,
  type Snapshot,
  type StateSchema,
  type StoredCheckpoint,
  saveCheckpoint,
} from "./checkpoint.ts";
import {
  crc32,
  encodeLine,
  faultOfMetrics,
  type MetricsLine,
  type MetricsPosition,
  soundLines,
} from "./metrics.ts";
import { checkpointFiles } from "./own-files.ts";
import {
  type Claim,
  type ClaimOptions,
  claimStore,
  keptConfig,
  type RunConfig,
  refuseHeldStore,
} from "./run-config.ts";
import { type RunStore, readFilled } from "./run-store.ts";

/** What a run is, as plain data. */
export interface DescribedRun {
  readonly config: RunConfig;
  /** The same as who wrote a description would have described it: an earlier release, or this one. */
  readonly asBefore: (kept: RunConfig) => Promise<RunConfig>;
}

/** What the checkpoints of a run hold: names, types and shapes; and how many steps it has. */
export type RunShape = Omit<Snapshot<unknown>, "state"> & { readonly steps: number };

/** The files of one training run, which nobody else writes until they are released. */
export class RunFiles<State extends MetricsPosition> {
  readonly #store: RunStore;
  readonly #schema: StateSchema<State>;
  readonly #options: ClaimOptions;
  readonly #release: () => Promise<void>;
  #claimed: ClaimedRun<State> | undefined;
  #warnings: readonly Words[] = [];
  #last: Pick<StoredCheckpoint<State>, "file" | "number"> | undefined;

  private constructor(
    store: RunStore,
    schema: StateSchema<State>,
    options: ClaimOptions,
    release: () => Promise<void>,
  ) {
    this.#store = store;
    this.#schema = schema;
    this.#options = options;
    this.#release = release;
  }

  /**
   * Keeps all others out of a store, which may hold a run already. Nothing in it is changed before `take`.
   *
   * @param schema what the plain state in its checkpoints must be
   * @throws when the store is in use, or holds a run that is neither to go on nor to be replaced
   */
  static async lock<State extends MetricsPosition>(
    store: RunStore,
    schema: StateSchema<State>,
    options: ClaimOptions,
  ): Promise<RunFiles<State>> {
    const release = (await store.lock?.()) ?? (async () => {});
    try {
      await refuseHeldStore(store, options);
      return new RunFiles(store, schema, options, release);
    } catch (error) {
      await release();
      throw error;
    }
  }

  /** What was found damaged or missing, and made good. */
  get warnings(): readonly Words[] {
    return this.#warnings;
  }

  /** The configuration of the run in the store, where that is to go on and can be read. */
  async kept(): Promise<RunConfig | undefined> {
    if (!this.#options.resume) return undefined;
    const config = await keptConfig(this.#store);
    return config ?? (await loadCheckpoints(this.#store, this.#schema)).newest?.config;
  }

  /**
   * Compares a run's configuration with the one in the store.
   *
   * @throws when the store holds something else, or what was lost or damaged cannot be made good
   */
  async compare(run: DescribedRun): Promise<void> {
    this.#claimed = await compareRun(this.#store, this.#schema, run, this.#options);
  }

  /**
   * Makes the store the run's that was compared, and cuts the metrics back to its checkpoint.
   *
   * @returns the state to go on from; undefined for a new run
   * @throws as `compare`; nothing is then changed
   */
  async take(shape: RunShape): Promise<Checkpoint<State> | undefined> {
    if (!this.#claimed) throw new Error("A store is taken after it was compared with the run.");
    const { stored, warnings } = await takeRun(this.#store, this.#claimed, shape, this.#options);
    this.#warnings = warnings;
    this.#last = stored;
    return stored?.checkpoint;
  }

  /** Adds a line to the metrics. @returns where they are then */
  async log(
    line: MetricsLine,
    { metricsBytes, metricsSum }: MetricsPosition,
  ): Promise<Omit<MetricsPosition, "step">> {
    const text = encodeLine(line);
    await this.#store.append("metrics.jsonl", text);
    const bytes = new TextEncoder().encode(text);
    return {
      metricsBytes: metricsBytes + bytes.length,
      // Of a run that an older version began, the sum of the first lines is not known.
      metricsSum: metricsSum === undefined ? undefined : crc32(bytes, metricsSum),
    };
  }

  /** Writes a checkpoint beside the one before. */
  async save(checkpoint: Checkpoint<State>): Promise<void> {
    const [first, second] = checkpointFiles;
    const next = {
      file: this.#last?.file === first ? second : first,
      number: (this.#last?.number ?? -1) + 1,
    };
    await saveCheckpoint(this.#store, checkpoint, { ...next, config: this.#claimed?.config });
    this.#last = next;
  }

  /** The newest checkpoint on disk. */
  async latest(): Promise<Checkpoint<State> | undefined> {
    return loadCheckpoint(this.#store, this.#schema);
  }

  /** Cuts the metrics back to where a checkpoint left them. */
  async rewind({ metricsBytes }: MetricsPosition): Promise<void> {
    await this.#store.truncate("metrics.jsonl", metricsBytes);
  }

  async writeModel(bytes: Uint8Array): Promise<void> {
    await this.#store.write("model.onnx", bytes);
  }

  /** Writes the model of a finished run where it is missing. @returns what is worth knowing */
  async restoreModel(bytes: Uint8Array): Promise<Words | undefined> {
    const kept = await readFilled(this.#store, "model.onnx");
    const path = `${this.#store.describe}/model.onnx`;
    if (!kept) {
      await this.writeModel(bytes);
      return words`${path} was missing, and was written again.`;
    }
    return areSameBytes(kept, bytes)
      ? undefined
      : words`${path} is not what this run wrote, and is left as it is; without it, ${option("resume", true)} writes
        the run's own again.`;
  }

  /** Lets others in. */
  async release(): Promise<void> {
    await this.#release();
  }
}

/** What a comparison found: how to take the store, and the checkpoint to go on from. */
interface ClaimedRun<State> {
  readonly config: RunConfig;
  readonly claim: Claim;
  readonly newest: StoredCheckpoint<State> | undefined;
  /** What is wrong with checkpoints that are not whole. */
  readonly problems: readonly string[];
}

async function compareRun<State extends MetricsPosition>(
  store: RunStore,
  schema: StateSchema<State>,
  { config, asBefore }: DescribedRun,
  options: ClaimOptions,
): Promise<ClaimedRun<State>> {
  // What will be discarded need not be whole.
  const { newest, problems } = options.overwrite
    ? { newest: undefined, problems: [] }
    : await loadCheckpoints(store, schema);
  const spare = newest?.config;
  const claim = await claimStore(store, "train", config, { ...options, spare, asBefore });
  if (claim.isOld && !newest) await refuseLostCheckpoint(store, problems);
  return { config, claim, newest: claim.isOld ? newest : undefined, problems };
}

async function takeRun<State extends MetricsPosition>(
  store: RunStore,
  { claim, newest, problems }: ClaimedRun<State>,
  shape: RunShape,
  { allowChanges }: ClaimOptions,
): Promise<{ readonly stored?: StoredCheckpoint<State>; readonly warnings: readonly Words[] }> {
  if (!newest) {
    await claim.take();
    return { warnings: claim.warnings };
  }
  const warnings = [...claim.warnings];
  checkCheckpoint(newest, store.describe, shape);
  const { state } = newest.checkpoint;
  if (problems.length > 0)
    warnings.push(
      words`${problems.join(" ")} The run goes on from the checkpoint before it, of step ${state.step}.`,
    );
  // A folder in its place would only show when the run has ended.
  await store.read("model.onnx");
  const metrics = await readFilled(store, "metrics.jsonl");
  const fault = faultOfMetrics(metrics, state);
  if (fault !== undefined && !allowChanges) throw damagedMetrics(store, fault, newest);
  await claim.take();
  if (fault === undefined) {
    await store.truncate("metrics.jsonl", state.metricsBytes);
    return { stored: newest, warnings };
  }
  const sound = soundLines(metrics ?? new Uint8Array(), state.step);
  await store.truncate("metrics.jsonl", sound.metricsBytes);
  warnings.push(
    words`${store.describe}/metrics.jsonl ${fault}; its first ${sound.metricsBytes} bytes are kept.`,
  );
  const checkpoint = { ...newest.checkpoint, state: { ...state, ...sound } };
  return { stored: { ...newest, checkpoint }, warnings };
}

/** A run writes its first checkpoint before anything else: where there is none beside other files, it was lost. */
async function refuseLostCheckpoint(store: RunStore, problems: readonly string[]): Promise<void> {
  const left: string[] = [];
  for (const name of ["metrics.jsonl", "model.onnx"]) if (await readFilled(store, name)) left.push(name);
  if (problems.length === 0 && left.length === 0) return;
  const what =
    problems.length > 0
      ? `${problems.join(" ")} No other checkpoint is left.`
      : `${store.describe} holds ${left.join(" and ")} of a run, but no checkpoint: ${checkpointFiles.join(" and ")} are missing.`;
  const rescue = left.includes("model.onnx")
    ? words`model.onnx is the model as it was saved last, and can be used or trained further (${option("model")}). `
    : "";
  throw new StorageError(
    words`${what} ${rescue}Restore a checkpoint from a backup, start again in another folder (${option("store")}), or
      discard the run (${option("overwrite", true)}).`,
    { path: store.describe },
  );
}

function damagedMetrics(
  store: RunStore,
  fault: string,
  { file, checkpoint }: StoredCheckpoint<MetricsPosition>,
): Error {
  const { step, metricsBytes } = checkpoint.state;
  return new StorageError(
    words`${store.describe}/metrics.jsonl ${fault}, and the checkpoint of step ${step} counts on its first
      ${metricsBytes} bytes. Restore it, or go on without what is lost of it (${option("allowChanges", true)}): ${file}
      is whole, and no number of the training depends on the metrics.`,
    { path: `${store.describe}/metrics.jsonl` },
  );
}
