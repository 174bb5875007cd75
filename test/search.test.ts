import { describe, expect, it } from "vitest";
import type { SearchEvent, SearchResult, Trial } from "../src/search/events.ts";
import type { LearningRateSearchOptions } from "../src/search/options.ts";
import { searchLearningRate } from "../src/search/search.ts";
import { examples, finish, memory, model, runtime } from "./circle.ts";

const settings: LearningRateSearchOptions = {
  model,
  examples,
  runtime,
  batch: 32,
  steps: 90,
  perturb: "weights",
  sampler: "gaussian",
  tangents: 4,
  // Too much for the highest of the rates.
  divergenceFactor: 3,
  evaluations: 12,
  lowest: 1e-4,
  highest: 1e4,
  checkpointSeconds: 0,
};

async function collect(options: Partial<LearningRateSearchOptions> = {}): Promise<SearchEvent[]> {
  const events: SearchEvent[] = [];
  for await (const event of searchLearningRate({ ...settings, ...options })) events.push(event);
  return events;
}

function resultOf(events: readonly SearchEvent[]): SearchResult {
  const last = events.at(-1);
  if (last?.kind !== "done") throw new Error(`The search ended with '${last?.kind}'.`);
  return last.result;
}

const untimed = (trials: readonly Trial[]) => trials.map(({ seconds, ...trial }) => trial);

describe("a search for a learning rate", () => {
  it("trains the best of each round longer, and finds the best of the last", async () => {
    const result = resultOf(await collect());
    const rounds = [0, 1, 2].map((rung) => result.trials.filter((trial) => trial.rung === rung));
    expect(rounds.map((trials) => [trials.length, trials[0]?.steps])).toEqual([
      [8, 10],
      [3, 30],
      [1, 90],
    ]);
    // Worst first: no number at all, then the largest loss.
    const score = ({ validationLoss = Number.POSITIVE_INFINITY }: Trial) => validationLoss;
    for (const [rung, next] of [1, 2].entries()) {
      const going = new Set(rounds[next]?.map(({ learningRate }) => learningRate));
      const [stayed, gone] = [true, false].map((wanted) =>
        (rounds[rung] ?? []).filter(({ learningRate }) => going.has(learningRate) === wanted).map(score),
      );
      expect(Math.max(...(stayed ?? []))).toBeLessThan(Math.min(...(gone ?? [])));
    }
    expect(result.trials.some(({ diverged }) => diverged)).toBe(true);
    expect(
      result.trials.filter(({ diverged }) => diverged).every((trial) => trial.validationLoss === undefined),
    ).toBe(true);
  });

  it("falls back to the longest runs that did not diverge", async () => {
    const { trials, learningRate, steps } = resultOf(await collect({ highest: 100 }));
    const fallen = new Set(trials.filter(({ diverged }) => diverged).map((trial) => trial.learningRate));
    const sound = trials.filter((trial) => !fallen.has(trial.learningRate));
    const longest = Math.max(...sound.map((trial) => trial.steps));
    const last = sound.filter((trial) => trial.steps === longest);
    const losses = last.map(({ validationLoss = Number.NaN }) => validationLoss);
    // The winner of the shorter runs did not stand the full length.
    expect(trials.at(-1)).toMatchObject({ rung: 2, diverged: true });
    expect([steps, learningRate]).toEqual([longest, last[losses.indexOf(Math.min(...losses))]?.learningRate]);
  });

  it("judges by what a training run with that rate measures", async () => {
    const { learningRate, validationLoss, steps } = resultOf(await collect({ highest: 10 }));
    expect(steps).toBe(90);
    const { perturb, sampler, tangents } = settings;
    const trained = await finish({ steps, perturb, sampler, tangents, learningRate });
    expect(trained.validationLoss).toBe(validationLoss);
  });

  it("judges by the accuracy, and by means over seeds", async () => {
    const result = resultOf(await collect({ judge: "accuracy", seeds: 2, evaluations: 6, highest: 10 }));
    const first = result.trials.filter(({ rung }) => rung === 0);
    expect(new Set(first.map(({ seed }) => seed))).toEqual(new Set([0, 1]));
    const accuracyOf = (rate: number) =>
      first
        .filter(({ learningRate }) => learningRate === rate)
        .reduce((sum, { validationAccuracy = Number.NaN }) => sum + validationAccuracy, 0);
    const second = new Set(result.trials.filter(({ rung }) => rung === 1).map((trial) => trial.learningRate));
    const best = Math.max(...first.map(({ learningRate }) => accuracyOf(learningRate)));
    expect([...second].map(accuracyOf)).toContain(best);
    const last = result.trials.filter(({ rung }) => rung === 2).map((trial) => trial.validationLoss ?? 0);
    expect(result.validationLoss).toBeCloseTo(((last[0] ?? 0) + (last[1] ?? 0)) / 2, 12);
  });

  it("says that the best rate lies at an edge, and finds none where all diverge", async () => {
    const low = resultOf(await collect({ lowest: 1e-9, highest: 1e-6, evaluations: 4, rungs: 2 }));
    expect(low.edge).toBe("highest");
    const hot = resultOf(await collect({ lowest: 1e6, highest: 1e9, evaluations: 4, rungs: 2 }));
    expect(hot.trials.every(({ diverged }) => diverged)).toBe(true);
    expect(hot.learningRate).toBeUndefined();
  });

  it("ends the same after interruptions between and within trials", async () => {
    const whole = resultOf(await collect());
    const store = memory();
    let stops = 0;
    for (const moment of [1, 7, 15, 40, 90, 111, 150, 200]) {
      const controller = new AbortController();
      let steps = 0;
      const search = searchLearningRate({ ...settings, store, resume: true, signal: controller.signal });
      for await (const event of search) {
        if (event.kind === "step" && ++steps === moment) controller.abort();
        if (event.kind === "interrupted") stops++;
      }
    }
    const resumed = resultOf(await collect({ store, resume: true }));
    expect(stops).toBeGreaterThan(3);
    expect(untimed(resumed.trials)).toEqual(untimed(whole.trials));
    expect(resumed.learningRate).toBe(whole.learningRate);
  });

  it("loses nothing when it is killed between any two writes", async () => {
    const options = { evaluations: 4, rungs: 2, steps: 12, lowest: 0.01, highest: 10 };
    const whole = resultOf(await collect(options));
    const store = memory();
    const killed = new Error("killed");
    for (let writes = 1; ; writes += 3) {
      let left = writes;
      const failing = {
        ...store,
        write: async (name: string, bytes: Uint8Array) => {
          if (left-- === 0) throw killed;
          await store.write(name, bytes);
        },
      };
      try {
        const resumed = resultOf(await collect({ ...options, store: failing, resume: true }));
        expect(untimed(resumed.trials)).toEqual(untimed(whole.trials));
        expect(writes).toBeGreaterThan(4);
        return;
      } catch (error) {
        if (error !== killed) throw error;
      }
    }
  });

  it("refuses other settings for a search that is under way, and a folder that holds one", async () => {
    const store = memory();
    await collect({ store, evaluations: 2, rungs: 1, steps: 2 });
    const again = { store, evaluations: 2, rungs: 1, steps: 2 };
    await expect(collect(again)).rejects.toThrow("memory already holds a run");
    await expect(
      collect({ ...again, resume: true, optimizer: { name: "sgd", momentum: 0.5 } }),
    ).rejects.toThrow("momentum was 0, now 0.5");
    await expect(collect({ ...again, resume: true, highest: 7 })).rejects.toThrow("highest was 10000, now 7");
  });

  it("says what it cannot search with", async () => {
    await expect(collect({ validation: 0 })).rejects.toThrow(
      "A search judges rates by the validation examples, and none are set aside; set validation above 0",
    );
    await expect(collect({ lowest: 2, highest: 1 })).rejects.toThrow(
      "The lowest learning rate must be above 0 and below the highest one, received 2 and 1.",
    );
    await expect(collect({ seeds: 0 })).rejects.toThrow("seeds must be a whole number from 1, received 0.");
  });
});
