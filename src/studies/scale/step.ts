/** How long a step of many workers takes, as a model of its pieces. */
import type { Host } from "./hosts.ts";

/** What a step is of. */
export interface StepSetting {
  /** n */
  readonly parameters: number;
  /** k */
  readonly tangents: number;
  /** Tangents that one pass computes together. */
  readonly granule: number;
  /** Examples (or tokens) of the step's batch. */
  readonly batch: number;
  readonly workers: number;
  readonly host: Host;
  /** Messages that the server and the coordinator handle in a second. */
  readonly messages: number;
}

/** How much longer than undisturbed work takes, at least 1: for the share of workers that a step waits for, and for all. */
export interface Slowness {
  readonly quorum: number;
  readonly all: number;
}

/** Seconds of a step, and what crosses one worker's line. */
export interface StepTime {
  /** Passes of the network. */
  readonly compute: number;
  /** Messages, or gradients, on their way. */
  readonly exchange: number;
  /** Drawing tangents again, and adding them up. */
  readonly rebuild: number;
  /** Bytes that one worker sends and receives. */
  readonly bytes: number;
}

/** A way to share a step. */
export type Sharing = (setting: StepSetting, slow: Slowness) => StepTime;

/** Bytes of a number of the record, and of what stands around it in an answer and in a record. */
const numberBytes = 8;
const envelopeBytes = 200;

/** A pass of one example costs 2n operations, and a tangent of low rank about one more, which goes through the same products. */
const operationsOf = (n: number, examples: number, tangents: number) => 2 * n * examples * (1 + tangents);

/**
 * Forward gradients of weights: answers of k numbers in all, one record of k coefficients back. Granules of tangents are shared
 * first; where workers are more than granules, batches are split as well. Every worker rebuilds the whole update.
 */
export const scalars: Sharing = (setting, slow) => {
  const { workers, tangents, granule, batch, parameters: n, host, messages } = setting;
  const granules = Math.ceil(tangents / granule);
  const shards = Math.min(batch, Math.max(1, Math.ceil(workers / granules)));
  const turns = Math.ceil((granules * shards) / workers);
  const compute = (turns * slow.quorum * operationsOf(n, batch / shards, granule)) / host.operations;
  const record = envelopeBytes + numberBytes * tangents;
  const answer = envelopeBytes + numberBytes * granule;
  // An answer and a record a worker pass through one server.
  const server = (2 * workers) / messages;
  return {
    compute,
    exchange: 2 * host.latency + (record + turns * answer) / host.bandwidth + server,
    rebuild: (n * tangents) / host.draws,
    bytes: record + turns * answer,
  };
};

/** The same, where each granule perturbs one slice of the parameters, which turns from step to step: a number is drawn `granule` times. */
export const slicedScalars: Sharing = (setting, slow) => ({
  ...scalars(setting, slow),
  rebuild: (setting.parameters * setting.granule) / setting.host.draws,
});

/**
 * Exact gradients of shards of the batch, three passes' work each, and their mean by recursive halving and doubling, which sends
 * about 2·4n bytes a worker in 2·log₂W messages, and waits for all (Thakur et al., 2005).
 */
export const allReduce: Sharing = ({ workers, batch, parameters: n, host }, slow) => {
  const sharing = Math.min(workers, batch);
  const bytes = workers === 1 ? 0 : (8 * n * (workers - 1)) / workers;
  return {
    compute: (3 * slow.all * operationsOf(n, batch / sharing, 0)) / host.operations,
    exchange: 2 * Math.ceil(Math.log2(workers)) * host.latency + bytes / host.bandwidth,
    rebuild: 0,
    bytes: 2 * bytes,
  };
};

export const sharings = {
  "k numbers": scalars,
  "k numbers, sliced": slicedScalars,
  "all-reduce": allReduce,
} as const satisfies Readonly<Record<string, Sharing>>;

export type SharingName = keyof typeof sharings;

export const secondsOf = ({ compute, exchange, rebuild }: StepTime) => compute + exchange + rebuild;

/**
 * How many steps of k tangents get as far as one exact step, at each one's best rate: 1 + r/k, where r = tr H/λ is the number of
 * directions in which the loss is curved (the largest is n). The mean of k tangents has E[ĝᵀHĝ] ≈ (1 + r/k)·∇fᵀH∇f.
 *
 * @param curved r
 */
export const stepsForOne = (tangents: number, curved: number) => 1 + curved / tangents;

/**
 * How much longer than undisturbed the work of a step takes. A machine's own factor is 1 + σE, E exponential of mean 1; those of W
 * workers in order are sums of E/(W − i), so that no list is sorted (Rényi, 1953).
 *
 * @param uniform numbers in [0, 1), [W]
 * @param spread σ
 * @param quorum the share of workers that is waited for, in (0, 1]
 */
export function slownessOf(uniform: Float64Array, spread: number, quorum: number): Slowness {
  const workers = uniform.length;
  const awaited = Math.max(1, Math.ceil(quorum * workers));
  let delay = 0;
  let atQuorum = 0;
  for (let index = 0; index < workers; index++) {
    delay -= Math.log1p(-(uniform[index] as number)) / (workers - index);
    if (index + 1 === awaited) atQuorum = delay;
  }
  return { quorum: 1 + spread * atQuorum, all: 1 + spread * delay };
}
