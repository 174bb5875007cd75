/** Steps of several parts, one after the other: what each of them estimates is added up to what the whole batch would have given. */
import { reserved } from "../../ad/names.ts";
import { SettingError } from "../../errors/errors.ts";
import { option as mention, words } from "../../errors/words.ts";
import type { Estimate, Estimator, EstimatorPlan } from "../../estimate/estimator.ts";
import { copyState, type EstimatorState } from "../../estimate/state.ts";
import type { Objective } from "../../objective/objective.ts";
import { getValue } from "../../onnx/graph.ts";
import { toNumbers, zeros } from "../../onnx/tensor.ts";
import { GraphBuilder } from "../../ops/builder.ts";
import type { Key } from "../../random/threefry.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import type { Planning } from "../descent/first-stage.ts";
import type { RunOptions } from "../settings/run-settings.ts";
import type { BatchReader } from "./batch-reading.ts";
import type { LocalBatches, localDescent } from "./local-steps.ts";
import type { PartEstimate, PartSource } from "./part-source.ts";

/** Computes parts of the step that is read. */
export interface PartPass {
  /** What the estimator remembers before the first step. */
  readonly state: EstimatorState;
  /** One part, counted from 0: a function of the parameters, and of what is given here. The state stays. */
  compute(part: number, key: Key, state: EstimatorState): Promise<PartEstimate>;
  release(): Promise<void>;
}

/** An estimator of steps in parts, and what computes the parts alone. */
export interface PartsPlan extends EstimatorPlan {
  openPart(): Promise<PartPass>;
}

/**
 * Plans estimators of steps that are computed part by part: the gradient of f = Σ s / Σ n is Σ_j (n_j / Σ n) ∇f_j, with n_j how many
 * losses count in part j. Estimates that are linear in derivatives add up to that of the whole batch: parts of a step have the same
 * tangents of weights, and at sites each example its own. A guess starts each part as the step found it, and keeps the mean of what the
 * parts taught it, so that no part's estimate depends on tangents that it shares with another.
 *
 * @throws SettingError for what is not linear in the parts
 */
export function planInParts(
  batches: BatchReader,
  { gradient, quality, parts: source }: Pick<RunOptions, "gradient" | "quality" | "parts">,
  plan: Planning["planEstimator"],
  local?: LocalSteps,
): (...asked: Parameters<Planning["planEstimator"]>) => Promise<PartsPlan> {
  refuse(
    gradient === "law",
    words`${mention("gradient", "law")}, which draws an estimate of the whole gradient at once`,
  );
  refuse(
    quality.every !== undefined,
    words`${mention("quality.every", quality.every ?? 1)}, which compares estimates of one batch`,
  );
  return async (objective, settings, uses) => {
    // What is added up are arrays.
    const planned = await plan(objective, settings, { ...uses, factored: false, resident: false });
    const opened = async () => {
      const estimator = await planned.open();
      return { estimator, compute: await partsOf(objective, estimator, batches, local) };
    };
    return {
      ...planned,
      open: async () => inParts(objective, await opened(), batches, source),
      async openPart() {
        const { estimator, compute } = await opened();
        return { state: estimator.init?.() ?? {}, compute, release: () => estimator.release() };
      },
    };
  };
}

function refuse(isGiven: boolean, what: ReturnType<typeof words>): void {
  if (!isGiven) return;
  throw new SettingError(
    words`${mention("batch.accumulate")} does not go with ${what}; leave one of them out.`,
    {
      option: "batch.accumulate",
    },
  );
}

/** Local steps of a run, and what they are taken by. */
export type LocalSteps = Parameters<typeof localDescent>[3];

/** What computes a part of the step that is read. */
async function partsOf(
  objective: Objective,
  estimator: Estimator,
  batches: BatchReader,
  local: LocalSteps | undefined,
): Promise<PartPass["compute"]> {
  if (local) {
    const { localDescent } = await import("./local-steps.ts");
    const descend = localDescent(objective, estimator, batches as LocalBatches, local);
    return (part, _, state) => descend(part, state);
  }
  return async (part, key, state) => {
    batches.readPart(part);
    const learned = copyState(state);
    return {
      estimate: await estimator.estimate(batches.feeds, key, learned, part * objective.batch),
      learned,
    };
  };
}

/**
 * An estimator of one part, for all parts of the batch that was read.
 *
 * @param source where parts are computed. Default: here, one after the other
 */
export async function inParts(
  objective: Objective,
  { estimator, compute }: { readonly estimator: Estimator; readonly compute: PartPass["compute"] },
  batches: BatchReader & Partial<Pick<LocalBatches, "isFirst">>,
  source?: PartSource,
): Promise<Estimator> {
  const count = await openCount(objective);
  source?.open({ objective, count: batches.parts, state: estimator.init?.() ?? {}, compute });
  return {
    ...estimator,
    ...(source && { follower: source.follower }),
    async estimate(feeds, key, state = estimator.init?.() ?? {}): Promise<Estimate> {
      // Of local steps, a part alone is a descent, too.
      const isLocal = batches.isFirst === false;
      if (batches.parts === 1 && !isLocal) return estimator.estimate(feeds, key, state);
      if (estimator.estimateParts && !isLocal)
        return estimator.estimateParts(feeds, key, {
          count: batches.parts,
          async read(part) {
            batches.readPart(part);
            return count.of(feeds);
          },
        });
      const total = new Total(state);
      const shared = await source?.estimate(key, state);
      for (let part = 0; part < batches.parts; part++) {
        const { estimate: given, learned } = shared?.[part] ?? (await compute(part, key, state));
        const estimate = { ...unsaid, ...given };
        // How many losses count is known here. Changes by local steps weigh the same.
        if (shared) batches.readPart(part);
        total.add(estimate, learned, isLocal ? 1 : await count.of(feeds));
        // As PyTorch does, running statistics follow each part.
        for (const [name, values] of Object.entries(estimate.statistics))
          (feeds[name]?.data as Float32Array | undefined)?.set(values);
      }
      return total.finish();
    },
    async release() {
      await count.release();
      await estimator.release();
    },
  };
}

/** What is not said of a part that others computed. */
const unsaid = {
  derivatives: new Float64Array(),
  statistics: {} as Estimate["statistics"],
} satisfies Partial<Estimate>;

/** What the parts of a step add up to: sums, each weighted by how many losses count. */
class Total {
  readonly #before: EstimatorState;
  /** How the state changed, and the gradients, by name. */
  readonly #taught: Sums = new Map();
  readonly #gradients: Sums = new Map();
  #last: Estimate | undefined;
  #counted = 0;
  #loss = 0;
  #unforeseen = 0;

  /** @param before the state before the step, which is written at its end */
  constructor(before: EstimatorState) {
    this.#before = before;
  }

  /**
   * @param learned the state after this part, which began as the step did
   * @param counted how many losses count
   */
  add(estimate: Estimate, learned: EstimatorState, counted: number): void {
    this.#last = estimate;
    this.#counted += counted;
    this.#loss += counted * estimate.loss;
    this.#unforeseen += counted * (estimate.unforeseen ?? 0);
    addTo(this.#gradients, estimate.gradients, counted);
    const before = this.#before;
    const changes = Object.entries(learned).map(
      ([name, after]) =>
        [name, Float64Array.from(after, (value, at) => value - (before[name]?.[at] ?? 0))] as const,
    );
    addTo(this.#taught, Object.fromEntries(changes), counted);
  }

  /** Writes the state, and gives the estimate of the whole batch; the derivatives are those of its last part. */
  finish(): Estimate {
    const last = this.#last as Estimate;
    // Where nothing counts, all sums are 0.
    const all = this.#counted || 1;
    for (const [name, sum] of this.#taught)
      for (const [at, change] of sum.entries()) {
        const values = this.#before[name] as Float32Array;
        values[at] = (values[at] as number) + change / all;
      }
    for (const [name, sum] of this.#gradients) last.gradients[name]?.set(sum.map((value) => value / all));
    const unforeseen = last.unforeseen === undefined ? undefined : this.#unforeseen / all;
    return { ...last, loss: this.#loss / all, unforeseen };
  }
}

type Sums = Map<string, Float64Array>;

function addTo(sums: Sums, arrays: Readonly<Record<string, ArrayLike<number>>>, weight: number): void {
  for (const [name, values] of Object.entries(arrays)) {
    const sum = sums.get(name) ?? new Float64Array(values.length);
    for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] as number) + weight * (values[at] as number);
    sums.set(name, sum);
  }
}

/** How many losses count in a part, from its targets alone. */
async function openCount({
  loss,
  graph,
  output,
  target,
  batch,
  runtime,
}: Objective): Promise<{ of(feeds: Tensors): Promise<number>; release(): Promise<void> }> {
  const [prediction, targets] = [getValue(graph, output), getValue(graph, target)];
  const g = new GraphBuilder("counts");
  const inputs = [prediction, targets].map(({ name, dtype, shape }) => g.input(name, dtype, shape));
  const counts = loss.counts?.(g, inputs[0] as typeof prediction, inputs[1] as typeof targets);
  if (!counts) return { of: async () => batch, release: async () => undefined };
  const session = await compileGraph(runtime, g.build({ [reserved.loss]: counts }));
  const unread = zeros(prediction.dtype, prediction.shape);
  return {
    async of(feeds) {
      const read = { [output]: unread, [target]: feeds[target] as Tensors[string] };
      const { [reserved.loss]: counted } = await session.run(read);
      return counted ? toNumbers(counted).reduce((sum, each) => sum + each, 0) : batch;
    },
    release: () => session.release(),
  };
}
