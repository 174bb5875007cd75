/** The files of one run: opened, checked against what the run is, written as it goes on. */
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
import { type ClaimOptions, claimStore, type RunConfig } from "./run-config.ts";
import { type RunStore, readFilled } from "./run-store.ts";

/** What a run is, for its files. */
export interface RunDescription<State> extends Omit<Snapshot<State>, "state"> {
  readonly config: RunConfig;
  /** What the plain state in its checkpoints must be. */
  readonly schema: StateSchema<State>;
  readonly steps: number;
}

/** The files of one training run, which nobody else writes until they are released. */
export class RunFiles<State extends MetricsPosition> {
  /** The state to go on from; undefined for a new run. */
  readonly checkpoint: Checkpoint<State> | undefined;
  /** What was found damaged or missing, and made good. */
  readonly warnings: readonly Words[];
  readonly #store: RunStore;
  readonly #run: RunDescription<State>;
  readonly #release: () => Promise<void>;
  #last: Pick<StoredCheckpoint<State>, "file" | "number"> | undefined;

  private constructor(
    store: RunStore,
    run: RunDescription<State>,
    found: { readonly stored?: StoredCheckpoint<State>; readonly warnings: readonly Words[] },
    release: () => Promise<void>,
  ) {
    this.#store = store;
    this.#run = run;
    this.#last = found.stored;
    this.checkpoint = found.stored?.checkpoint;
    this.warnings = found.warnings;
    this.#release = release;
  }

  /**
   * Opens the files of a run: locks the store, checks that what it holds is this run's and whole, and cuts the metrics
   * back to the checkpoint.
   *
   * @throws when the store is in use, holds something else, or what was lost or damaged cannot be made good; nothing is
   * then changed
   */
  static async open<State extends MetricsPosition>(
    store: RunStore,
    run: RunDescription<State>,
    options: ClaimOptions,
  ): Promise<RunFiles<State>> {
    const release = (await store.lock?.()) ?? (async () => {});
    try {
      return new RunFiles(store, run, await openFiles(store, run, options), release);
    } catch (error) {
      await release();
      throw error;
    }
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
    await saveCheckpoint(this.#store, checkpoint, { ...next, config: this.#run.config });
    this.#last = next;
  }

  /** The newest checkpoint on disk. */
  async latest(): Promise<Checkpoint<State> | undefined> {
    return loadCheckpoint(this.#store, this.#run.schema);
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
    const isSame = kept.length === bytes.length && kept.every((byte, place) => byte === bytes[place]);
    return isSame
      ? undefined
      : words`${path} is not what this run wrote, and is left as it is; without it, ${option("resume", true)} writes
        the run's own again.`;
  }

  /** Lets others in. */
  async release(): Promise<void> {
    await this.#release();
  }
}

async function openFiles<State extends MetricsPosition>(
  store: RunStore,
  run: RunDescription<State>,
  options: ClaimOptions,
): Promise<{ readonly stored?: StoredCheckpoint<State>; readonly warnings: readonly Words[] }> {
  // What will be discarded need not be whole.
  const { newest, problems } = options.overwrite
    ? { newest: undefined, problems: [] }
    : await loadCheckpoints(store, run.schema);
  const claim = await claimStore(store, "train", run.config, { ...options, spare: newest?.config });
  if (!newest || !claim.isOld) {
    if (claim.isOld) await refuseLostCheckpoint(store, problems);
    await claim.take();
    return { warnings: claim.warnings };
  }
  const warnings = [...claim.warnings];
  checkCheckpoint(newest, store.describe, run);
  const { state } = newest.checkpoint;
  if (problems.length > 0)
    warnings.push(
      words`${problems.join(" ")} The run goes on from the checkpoint before it, of step ${state.step}.`,
    );
  // A folder in its place would only show when the run has ended.
  await store.read("model.onnx");
  const metrics = await readFilled(store, "metrics.jsonl");
  const fault = faultOfMetrics(metrics, state);
  if (fault !== undefined && !options.allowChanges) throw damagedMetrics(store, fault, newest);
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
