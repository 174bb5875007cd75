/** A guess's signal with fewer numbers: positions as examples of their own, or a sketch of random sums. Loaded where there is one. */
import { SettingError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { Guess, GuessedSite, ReducedSignal } from "../../guess/guess.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { type Graph, getValue, type Value } from "../../onnx/graph.ts";
import { elementCount, float32, zeros } from "../../onnx/tensor.ts";
import type { GraphBuilder } from "../../ops/builder.ts";
import { fillRademacher } from "../../random/rademacher.ts";
import { keyFromSeed } from "../../random/threefry.ts";
import type { FoundSite, FoundSites, Reduction } from "./found-sites.ts";

/**
 * Sites whose signal is reduced; of positions, those that have not as many are left to the tangents.
 *
 * @throws SettingError where there are no positions in common
 */
export function reducedSites(
  { graph, batch, output }: Pick<Differentiable, "graph" | "batch" | "output">,
  found: FoundSites,
  by: ReducedSignal["by"],
  guess: Guess,
): FoundSites {
  const logits = output === undefined ? 0 : elementCount(getValue(graph, output).shape) / batch;
  const size = found.signal?.size ?? logits;
  if ("sketch" in by) return { ...found, reduction: sketchOf(size, by.sketch, guess.name) };
  const { positions } = by;
  if (positions === 1 || !found.signal)
    throw new SettingError(
      words`${option("guess", guess.name)} is to have one matrix for all positions, and the last block's input of '${graph.name}'
        and the sites before it have none in common (tokens, as [batch, positions, numbers]); reduce the signal to a sketch, or to nothing.`,
      { option: "guess" },
    );
  const isBeside = (site: FoundSite) => positionsAt(graph, batch, site) !== positions;
  const sites = found.sites.map((site) => ({ ...site, isBeside: isBeside(site) }));
  return { ...found, sites, reduction: byPosition(positions, guess.name) };
}

/**
 * The positions that one example has at the last of some sites and at one before it alike; 1 where there are none.
 */
export function commonPositions(graph: Graph, batch: number, sites: readonly FoundSite[]): number {
  const [shared = 1, ...others] = sites.map((site) => positionsAt(graph, batch, site)).toReversed();
  return others.includes(shared) ? shared : 1;
}

/**
 * The positions of one example at a site, such as tokens, where the numbers of each position follow each other: [batch, T, n],
 * [T, batch, n] or [batch · T, n]. Channels of pictures lie the other way round.
 */
function positionsAt(graph: Graph, batch: number, { value, layout, size }: FoundSite): number {
  const { shape } = getValue(graph, value);
  const [first = 1] = shape;
  const [last = 1] = shape.slice(-1);
  const isConvolved = graph.nodes.some(({ op, outputs }) => op === "Conv" && outputs.includes(value));
  if (isConvolved || shape.length > 3) return 1;
  if (layout.outer > 1) return layout.inner === last ? layout.outer : 1;
  if (shape.length === 3) return first === batch ? size / last : 1;
  return shape.length === 2 ? first / batch : 1;
}

/** Each position is an example of its own. */
function byPosition(positions: number, guess: string): Reduction {
  const part = ({ size, ...site }: GuessedSite): GuessedSite => ({ ...site, size: size / positions });
  /** [..., batch, n · positions] → [..., batch · positions, n] */
  const apart = (g: GraphBuilder, values: Value) => {
    const [batch = 1, numbers = 1] = values.shape.slice(-2);
    return g.reshape(values, [...values.shape.slice(0, -2), batch * positions, numbers / positions]);
  };
  return {
    of: (rule) => ({
      ...rule,
      memory: (site, outputs) =>
        site.isBeside ? {} : (rule.memory?.(part(site), outputs / positions) ?? {}),
      emitGuess(g, delta, memory, site) {
        const own = site.isBeside ? undefined : rule.emitGuess(g, apart(g, delta), memory, part(site));
        const [batch = 1] = delta.shape;
        return own && g.reshape(own, [batch, site.size]);
      },
      learned: (k, outputs, isShared) => rule.learned?.(k, outputs / positions, isShared) ?? k,
      emitStep:
        rule.emitStep &&
        ((g, delta, step) => {
          const [batch = 1] = delta.shape;
          // What has other positions remembers nothing.
          const isTaught = step.sites.map(({ memory }) => Object.keys(memory).length > 0);
          const sites = step.sites
            .filter((_, index) => isTaught[index])
            .map(({ tangents, ...site }) => {
              const [count = 1, examples = 1, numbers = 1] = tangents.shape;
              // What all examples share differs from position to position.
              const own = examples === batch ? tangents : g.expand(tangents, [count, batch, numbers]);
              return { ...site, tangents: apart(g, own) };
            });
          const each = g.div(step.active, positions);
          const all = () => g.expand(g.reshape(each, [batch, 1]), [batch, positions]);
          const active = each.shape.length === 0 ? each : g.reshape(all(), [batch * positions]);
          const signalTangents = apart(g, step.signalTangents);
          const taught =
            rule.emitStep?.(g, apart(g, delta), { ...step, sites, signalTangents, active }) ?? [];
          const next = taught.values();
          return isTaught.map((isOne) => (isOne ? (next.next().value ?? {}) : {}));
        }),
    }),
    note: words`${option("guess", guess)} learns one matrix for all ${positions} positions, because all numbers of the signal and the
      sites would take more memory than the parameters, or because it was asked to: what passes from one position to another is left to the tangents.`,
  };
}

/** Sums of the signal's numbers with random signs: number o enters sum o mod s. */
function sketchOf(size: number, most: number, guess: string): Reduction {
  const each = Math.ceil(size / most);
  const outputs = Math.ceil(size / each);
  const signs = new Float32Array(size);
  fillRademacher(keyFromSeed(0), 0, signs);
  const scaled = Array.from(signs, (sign) => sign / Math.sqrt(each));
  /** [..., O] → [..., s] */
  const sums = (g: GraphBuilder, values: Value) => {
    const rows = values.shape.slice(0, -1);
    const missing = each * outputs - size;
    const signed = g.mul(values, g.constant(float32(scaled, [size])));
    const whole =
      missing === 0
        ? signed
        : g.concat(signed, g.constant(zeros("float32", [...rows, missing])), { axis: rows.length });
    return g.reduceSum(g.reshape(whole, [...rows, each, outputs]), [rows.length], { keepdims: 0 });
  };
  return {
    of: (rule) => ({
      ...rule,
      memory: (site) => rule.memory?.(site, outputs) ?? {},
      emitGuess: (g, delta, memory, site) => rule.emitGuess(g, sums(g, delta), memory, site),
      learned: (k, _, isShared) => rule.learned?.(k, outputs, isShared) ?? k,
      emitStep:
        rule.emitStep &&
        ((g, delta, step) => {
          const signalTangents = sums(g, step.signalTangents);
          return rule.emitStep?.(g, sums(g, delta), { ...step, signalTangents }) ?? [];
        }),
    }),
    note: words`${option("guess", guess)} reads ${outputs} sums of the ${size} numbers of its signal with random signs, because all of them
      would take more memory than the parameters, or because it was asked to: it foresees a part of the gradient.`,
  };
}
