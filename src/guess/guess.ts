/** What a guess of the gradient is: foreseen from what earlier steps measured, before this step's tangents correct it. */
import type { Value } from "../onnx/graph.ts";
import type { GraphBuilder } from "../ops/builder.ts";
import type { Config } from "../settings/config.ts";

/**
 * The value whose gradient, exact and known after the forward pass, a guess reads of each example:
 *
 * - logits: what the loss reads.
 * - last input: what the last block reads, the end of the last block but one. The local transpose of the last block carries the
 *   gradient there, so that block behind it and the one before it need no tangents.
 * - residual stream: what the last residual block reads and adds to; as for the last input, all behind it needs no tangents.
 */
export type GuessSignal = (typeof guessSignals)[number];

/** Names of the signals. */
export const guessSignals = ["logits", "last input", "residual stream"] as const;

/**
 * A signal of which a guess reads fewer numbers, where there are many: `positions` takes the positions of an example (tokens)
 * for examples of their own, each with its own numbers of the signal and of the sites; a `sketch` is so many sums of the
 * signal's numbers with random signs, scaled so that reading them back projects on them.
 */
export interface ReducedSignal {
  readonly signal: GuessSignal;
  readonly by: { readonly positions: number } | { readonly sketch: number };
}

/** A signal, whole or reduced. */
export type SomeSignal = GuessSignal | ReducedSignal;

/** Sizes that a guess may choose its signal by. */
export interface SignalSizes {
  /** The numbers of one example's logits. */
  readonly logits: number;
  /** The numbers of one example at the last block's input; undefined where no site lies before it. */
  readonly lastInput: number | undefined;
  /** The positions that one example has at the last block's input and at a site before it alike; 1 where it has none. */
  positions(): Promise<number>;
  /** The numbers of one example at all sites. */
  readonly sites: number;
  /** The numbers of all parameters. */
  readonly parameters: number;
}

/** Numbers that a guess may remember whatever the model's size, 4 MiB. */
export const smallMemory = 2 ** 20;

/** Arrays that a guess keeps for one site, as values of a graph, by name. */
export type SiteMemory = Readonly<Record<string, Value>>;

/** What a guess knows of one site. */
export interface GuessedSite {
  /** n, the numbers of one example at the site. */
  readonly size: number;
  /** Whether its numbers reach the signal's value by sums alone, place for place: the residual stream passes here. */
  readonly isSummed: boolean;
  /** Whether it has other positions than the signal is reduced to, so that nothing is foreseen there. Default false. */
  readonly isBeside?: boolean;
}

/** What one step shows at one site. */
export interface SiteObservation {
  /** The q tangents that are learned from, 0 where a ReLU lets nothing through: [q, batch, n], or [q, 1, n] where all examples share them. */
  readonly tangents: Value;
  /** What the guess remembers there. */
  readonly memory: SiteMemory;
}

/** What one step shows of a batch. */
export interface StepObservation {
  /** Each site, in their order. */
  readonly sites: readonly SiteObservation[];
  /** Y = V Jᵀ: the directional derivatives of the signal's value along those tangents, [q, batch, O]. */
  readonly signalTangents: Value;
  /** Whether all examples have the same tangents. */
  readonly isShared: boolean;
  /** How many numbers of each example are perturbed: [batch], or a scalar where that is the same for all. */
  readonly active: Value;
  /** The mean square of a tangent's number, about 1 but for samplers of another length than √n. */
  readonly square: number;
  /** Steps so far: a scalar. */
  readonly steps: Value;
}

/**
 * A guess of each example's gradient at the sites of activations or blocks. O: the numbers of one example at the signal's
 * value, or as many as it is reduced to. Where positions are examples of their own, the batch is all of them.
 */
export interface SiteGuess {
  /** Which gradient it reads. */
  readonly signal: GuessSignal | ((sizes: SignalSizes) => SomeSignal | Promise<SomeSignal>);
  /** The shapes of the arrays that it keeps for a site, by name; they start as zeros. Default: none. */
  memory?(site: GuessedSite, outputs: number): Readonly<Record<string, readonly number[]>>;
  /**
   * Emits the guess at a site.
   *
   * @param delta the gradient of each example's own loss at the signal's value, [batch, O]
   * @returns m, [batch, n]; numbers that a ReLU cuts off may be anything. Undefined where nothing is foreseen
   */
  emitGuess(g: GraphBuilder, delta: Value, memory: SiteMemory, site: GuessedSite): Value | undefined;
  /**
   * From how many of the k tangents, the first ones, a step learns. Default: all.
   *
   * @param outputs O
   * @param isShared whether all examples have the same tangents
   */
  learned?(k: number, outputs: number, isShared: boolean): number;
  /**
   * Emits what a step teaches. Default: nothing; then a guess that is not corrected (γ = 0) draws no tangents.
   *
   * @param delta as for `emitGuess`, [batch, O]
   * @returns each site's memory after the step
   */
  emitStep?(g: GraphBuilder, delta: Value, step: StepObservation): readonly SiteMemory[];
}

/** Arrays that a guess keeps for one parameter, by name. */
export type ParameterMemory = Readonly<Record<string, Float32Array>>;

/** What one step with tangents of all parameters taught of one parameter's gradient. */
export interface ParameterObservation {
  /** ĝ of the step, [n] numbers of the parameter; it may not be changed. */
  readonly estimate: Float32Array;
  /** k/N: what share of the N numbers of all parameters the tangents of one step measure, at most 1. */
  readonly measured: number;
}

/** A guess of the gradient of the parameters, where tangents are those of the parameters themselves. */
export interface ParameterGuess {
  /**
   * β: what the guess is multiplied by before tangents correct it. Default: measured, Σ d·Vm / Σ (Vm)² of the steps before,
   * from 0 to 1, so that a guess that is mostly noise does no harm.
   */
  readonly scale?: number;
  /** The arrays that it keeps for a parameter of n numbers: their lengths, by name; they start as zeros. */
  memory(size: number): Readonly<Record<string, number>>;
  /** m of a parameter, [n]: one of the arrays of its memory, or a new one. */
  guess(memory: ParameterMemory): Float32Array;
  /** Writes what a step taught into the memory; once ĝ was formed. */
  learn(memory: ParameterMemory, step: ParameterObservation): void;
}

/** What makes a guess. */
export interface GuessRule {
  /** γ: how much of the correction is added. 1: no bias; 0: the guess alone. */
  readonly gamma: number;
  /** The guess at sites; absent where nothing is foreseen there. */
  readonly sites?: SiteGuess;
  /** The guess for tangents of weights; absent where nothing is foreseen of their gradient. */
  readonly weights?: ParameterGuess;
}

/**
 * A guess m of the gradient. The estimate is ĝ = m + γ (n/k) V c with c = a(d − V m, G): without bias for γ = 1, whatever m is,
 * as long as m knows nothing of this step's tangents; what the guess learns from a step is therefore kept only after its
 * estimate was formed.
 *
 * A new one is one file of this folder, and one entry in `guesses.ts`.
 */
export interface Guess extends GuessRule {
  /** Its name in lists and on the command line. */
  readonly name: string;
  /** What it was made with, as plain data: part of a run's identity. */
  readonly config?: Config;
}

/** Whether a guess needs tangents of no kind: it is not corrected, and learns nothing. */
export function isAlone({ gamma, sites }: GuessRule): boolean {
  return gamma === 0 && sites !== undefined && !sites.emitStep;
}
