/** A run whose derivatives come from workers: `train`, with everything that it does, and a log beside it. */
import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { Config } from "../../settings/config.ts";
import type { PartSource } from "../../train/batches/part-source.ts";
import type { TrainEvent } from "../../train/events.ts";
import { runOptions } from "../../train/run-options.ts";
import { describePlan, planRun } from "../../train/run-plan.ts";
import type { TrainOptions } from "../../train/settings/options.ts";
import { TrainingRun, train } from "../../train/train.ts";
import { PartCoordinator } from "../parts/part-coordinator.ts";
import { type Status, statusEvery, tellStatus } from "../status.ts";
import type { Transport } from "../transport.ts";
import { inGranules } from "../weights/granules.ts";
import { Coordinator, StoppedError } from "./coordinator.ts";
import { describeOptions, writeDescribed } from "./described.ts";
import { CoordinatorReplacedError, reopen } from "./journal.ts";
import { Leadership } from "./leadership.ts";
import type { CrewEvent, QuestionRules } from "./questions.ts";
import { inSharedParts, isInGranules, requireNoStatistics, requireTogether } from "./refusals.ts";
import { bringTogether, mirroredStore, sharedStore } from "./shared-store.ts";

/** How a run is spread over workers. */
export interface TogetherOptions extends Partial<QuestionRules> {
  /** The coordinator's way to the workers of this run, which nobody else has the run of. */
  readonly transport: Transport;
  /** Of tangents of weights: those of a granule, which one worker computes at once, a part of what the run is. Default 4. */
  readonly granule?: number;
  /** Whether each granule perturbs another slice of the parameters, a part of what the run is, too. Default: from 65,536 parameters on. */
  readonly sliced?: boolean;
  /** Milliseconds after which another may go on with the run, if this coordinator is gone. Default 10,000. */
  readonly lease?: number;
  /** Hears of workers that come, leave, or are dropped. Default: nobody does. */
  readonly onCrew?: (event: CrewEvent) => void;
}

export const defaultGranule = 4;
export const defaultLease = 10_000;
const defaultRules: QuestionRules = { quorum: 1, grace: 500, check: 0.02 };

/**
 * Trains as `train` does, with workers (`work`) that compute the derivatives. Validation, early stopping, checkpoints and what
 * happens where a run diverges are those of `train`, and so are its events. With a quorum of 1, the default, the result is the same
 * bytes for any number of workers, and for none: of tangents of weights, `train` with `gradient: inGranules()`; of all other
 * gradients, `train` with a batch in parts (`batch: { size, accumulate }`, 4 where nothing is said), which the workers share.
 *
 * @throws SettingError for what workers do not train together; ForwardgradError where the run of this name is another one;
 * CoordinatorReplacedError where another coordinator has it; otherwise as `train`
 */
export async function* trainTogether(
  given: TrainOptions,
  together: TogetherOptions,
): AsyncGenerator<TrainEvent, void> {
  const { transport, lease = defaultLease, onCrew = () => {} } = together;
  requireTogether(given, together);
  const isSmall = isInGranules(given);
  const options = isSmall ? given : inSharedParts(given);
  const sliced = together.sliced;
  const granule = isSmall ? (together.granule ?? defaultGranule) : undefined;
  const { quorum, grace, check } = { ...defaultRules, ...together };
  const rules = { quorum, grace, check };
  requireRules(rules);
  const config = await configOf(options, granule, sliced);
  const described = await describeOptions(options, { granule, sliced }, config);
  const leadership = await Leadership.await(transport, lease);
  let coordinator: Coordinator | PartCoordinator | undefined;
  let hasEnded = false;
  const course = new Course();
  const telling = setInterval(() => {
    const status = course.status(coordinator?.workers() ?? []);
    if (status) tellStatus(transport, status);
  }, statusEvery);
  try {
    if (!options.resume && (await transport.log.last()) > 0) throw begun(transport, options);
    if (options.resume) await reopen(transport);
    const shared = sharedStore(transport.objects);
    const store = options.store ? mirroredStore(options.store, shared) : undefined;
    if (options.store && options.resume) await bringTogether(options.store, shared, isSmall);
    await writeDescribed(transport, described);
    const isShared = () => store?.isShared() ?? true;
    const coordinating = { transport, leadership, onCrew, isShared, signal: options.signal, ...rules };
    const kept = { ...options, store: store ?? shared };
    let events: AsyncGenerator<TrainEvent, void>;
    if (granule === undefined) {
      coordinator = new PartCoordinator(coordinating);
      events = trainInParts(kept, coordinator);
    } else {
      coordinator = new Coordinator(coordinating);
      events = train({ ...kept, gradient: inGranules({ size: granule, sliced, source: coordinator }) });
    }
    for await (const event of events) {
      course.heard(event);
      hasEnded = event.kind === "done" || event.kind === "interrupted";
      if (hasEnded) await coordinator.end(event.kind === "done" ? "done" : "paused", "");
      yield event;
    }
  } catch (error) {
    hasEnded = true;
    if (error instanceof StoppedError) await coordinator?.end("paused", "");
    // Who goes on elsewhere says how it ends.
    else if (!(error instanceof CoordinatorReplacedError))
      await coordinator?.end("failed", (error as Error).message).catch(() => {});
    throw error;
  } finally {
    clearInterval(telling);
    if (!hasEnded) await coordinator?.end("paused", "");
    await coordinator?.release();
    await leadership.release().catch(() => {});
  }
}

/** What the run is, as config.json has it. @throws as `train` */
async function configOf(
  { store, resume, overwrite, allowChanges, ...options }: TrainOptions,
  size: number | undefined,
  sliced: boolean | undefined,
): Promise<Config> {
  const gradient = size === undefined ? options.gradient : inGranules({ size, sliced });
  const plan = await planRun(await runOptions({ ...options, gradient }));
  if (size === undefined) requireNoStatistics(plan.objective);
  return (await describePlan(plan)).config;
}

/** Trains as `train` does, with parts of batches that are computed elsewhere. */
async function* trainInParts(options: TrainOptions, parts: PartSource): AsyncGenerator<TrainEvent, void> {
  const run = await TrainingRun.open({ ...(await runOptions(options)), parts });
  try {
    yield* run.events();
  } finally {
    await run.release();
  }
}

/** How far a run is. */
class Course {
  readonly #began = performance.now();
  #start: { readonly name: string; readonly total: number } | undefined;
  #done = 0;

  heard(event: TrainEvent): void {
    if (event.kind === "start") this.#start = { name: event.model, total: event.steps };
    if (event.kind === "start" || event.kind === "step") this.#done = event.step;
  }

  /** Undefined before the run has begun. */
  status(workers: Status["workers"]): Status | undefined {
    const seconds = (performance.now() - this.#began) / 1000;
    return (
      this.#start && { kind: "training", ...this.#start, unit: "steps", done: this.#done, seconds, workers }
    );
  }
}

function begun({ describe }: Transport, { overwrite }: TrainOptions): SettingError {
  const [resume, another] = [option("resume", true), option("run", null)];
  return overwrite
    ? new SettingError(
        words`${describe} has begun already, and ${option("overwrite", true)} does not remove its log, which others may follow. Go on
          with it (${resume}, without ${option("overwrite")}), or begin another (${another}).`,
        { option: "overwrite" },
      )
    : new SettingError(
        words`${describe} has begun already. Go on with it (${resume}), or begin another under a name of its own (${another}).`,
        { option: "resume" },
      );
}

/** @throws SettingError */
function requireRules({ quorum, grace, check }: QuestionRules): void {
  const isShare = (value: number) => value >= 0 && value <= 1;
  for (const [name, value, isFine, expected] of [
    ["quorum", quorum, isShare(quorum) && quorum > 0, "above 0 and at most 1"],
    ["grace", grace, grace >= 0, "milliseconds from 0"],
    ["check", check, isShare(check), "from 0 to 1"],
  ] as const)
    if (!isFine) throw new SettingError(words`${option(name, value)} must be ${expected}.`, { option: name });
}
