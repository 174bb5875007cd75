/** Local heads: each block learns from a head of its own, by exact gradients that end where the block begins. Loaded where they are asked for. */
import { gradientGraph, keepUsedInputs } from "../../ad/gradient.ts";
import { gradientName, localHeadName, reserved } from "../../ad/names.ts";
import { SettingError } from "../../errors/errors.ts";
import { option, type Words, words } from "../../errors/words.ts";
import { type Differentiable, emitLossesOf, type Objective } from "../../objective/objective.ts";
import { countParameters } from "../../objective/parameters.ts";
import { type Graph, getValue, type Value } from "../../onnx/graph.ts";
import { float32, type Tensor, zeros } from "../../onnx/tensor.ts";
import { GraphBuilder } from "../../ops/builder.ts";
import { fasterGraph } from "../../ops/upgrade.ts";
import { streamKey } from "../../random/streams.ts";
import { fold } from "../../random/threefry.ts";
import { fillUniform } from "../../random/uniform.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import type { Tensors } from "../../runtime/runtime.ts";
import { type Estimator, type EstimatorPlan, gradientBuffers } from "../estimator.ts";
import type { EstimatorOptions } from "../passes.ts";
import { compileSegments } from "../segmented.ts";
import type { EstimatorState } from "../state.ts";
import { findSites } from "./graphs.ts";
import { detachedGraph, type Head, headsAt } from "./head-ends.ts";

/** Heads learn by Adam at this rate, whatever the blocks learn by. */
const rate = 0.003;
const [decayOfMean, decayOfSquare, epsilon] = [0.9, 0.999, 1e-8];

/**
 * Plans the exact gradient of another objective than the model's loss: each block's own loss, that of a normalization without
 * parameters and a linear layer on its end (the mean over positions or pixels where the model answers once an example), with
 * what the block reads taken as given. The last block, and what lies behind it, learns from the model's loss. Layer by layer:
 * Nøkland and Eidnes, arXiv 1901.06656; Belilovsky et al., arXiv 1812.11446. Heads are the estimator's state: checkpoints hold
 * them, and saved models do not.
 *
 * @throws SettingError where guesses or tangents are asked for, and where fewer than two blocks learn something of their own
 */
export async function planLocalHeads(
  objective: Differentiable,
  options: EstimatorOptions,
  blocks: boolean | RegExp,
  chosen: { readonly guess?: unknown; readonly shareTangents: boolean },
): Promise<EstimatorPlan> {
  const { guess, shareTangents } = chosen;
  const heads = option("perturb.localHeads", true);
  const refuse = (name: string, value: true | null) => {
    const other = option(name, value);
    throw new SettingError(
      words`${heads} takes exact gradients inside of blocks, without tangents or guesses; leave ${other} out.`,
      {
        option: "perturb.localHeads",
      },
    );
  };
  if (guess !== undefined) refuse("perturb.guess", null);
  if (shareTangents) refuse("perturb.shareTangents", true);
  if (options.simulated) refuse("gradient", null);
  if (!isObjective(objective))
    throw new SettingError(
      words`${heads} are for models with a loss, and a closed-form function has none to give each block.`,
      {
        option: "perturb.localHeads",
      },
    );
  const { sites } = await findSites(objective, { blocks, lowMemory: options.lowMemory });
  const found = headsAt(objective, sites);
  return {
    dimension: countParameters(objective.parameters),
    notes: [noteOf(found)],
    open: () => openLocalHeads(objective, options, found),
  };
}

function noteOf(heads: readonly Head[]): Words {
  const names = heads.slice(0, 4).map(({ value }) => `'${value}'`);
  const rest = heads.length > names.length ? ", …" : "";
  return words`Each block learns from a head of its own (${option("perturb.localHeads", true)}; ${heads.length} of them, at ${names.join(", ")}${rest}), and
    nothing from the blocks behind it: that is another training objective than the model's loss, which the last block alone lowers. Heads are
    kept in checkpoints, and no part of the saved model.`;
}

function isObjective(objective: Differentiable): objective is Objective {
  return "loss" in objective;
}

/** What is kept of one tensor of a head: its numbers, and Adam's two moments. */
const kept = ["value", "mean", "square"] as const;

/** One trained tensor of a head. */
interface HeadTensor {
  readonly part: "weight" | "bias";
  /** The name of the value that the head reads. */
  readonly value: string;
  readonly name: string;
  readonly shape: readonly number[];
  /** First numbers are uniform in ± this. */
  readonly spread: number;
}

const tensorsOf = ({ value, width, outputs }: Head): readonly [weight: HeadTensor, bias: HeadTensor] => {
  const spread = 1 / Math.sqrt(width);
  return [
    { part: "weight", value, name: localHeadName("weight", value), shape: [width, outputs], spread },
    { part: "bias", value, name: localHeadName("bias", value), shape: [outputs], spread },
  ];
};

const arrayOf = ({ part, value, name }: HeadTensor, moment: (typeof kept)[number]) =>
  moment === "value" ? name : localHeadName(`${moment} of ${part}`, value);
const nextOf = (array: string) => localHeadName("next", array);
const lossesName = localHeadName("own losses", "");
const stepsName = localHeadName("steps", "");
const corrections = [localHeadName("correction", "mean"), localHeadName("correction", "square")] as const;

async function openLocalHeads(
  objective: Objective,
  { lowMemory, pieceBytes }: EstimatorOptions,
  heads: readonly Head[],
): Promise<Estimator> {
  const { runtime, parameters } = objective;
  const { primal, derived } = localGraph(objective, heads);
  const session = lowMemory
    ? await compileSegments(runtime, keepUsedInputs(derived, new Set()), primal, pieceBytes)
    : await compileGraph(runtime, fasterGraph(derived));
  const tensors = heads.flatMap(tensorsOf);
  const arrays = tensors.flatMap((tensor) =>
    kept.map((part) => ({ name: arrayOf(tensor, part), shape: tensor.shape })),
  );
  const next: Tensors = Object.fromEntries(
    arrays.map(({ name, shape }) => [nextOf(name), zeros("float32", shape)]),
  );
  const [loss, losses] = [zeros("float32", []), zeros("float32", [heads.length])];
  const { tensors: outputs, gradients } = gradientBuffers(objective);
  const init = (): EstimatorState => ({
    [stepsName]: new Float32Array(1),
    [lossesName]: new Float32Array(heads.length),
    ...Object.fromEntries(
      arrays.map(({ name, shape }) => [name, zeros("float32", shape).data as Float32Array]),
    ),
    ...Object.fromEntries(tensors.map((tensor, index) => [tensor.name, firstNumbers(tensor, index)])),
  });
  return {
    name: "blocks",
    dimension: countParameters(parameters),
    init,
    async estimate(feeds, _, state = init()) {
      const steps = (state[stepsName] as Float32Array)[0] as number;
      const scalar = (value: number): Tensor => float32([value], []);
      const known: Tensors = Object.fromEntries([
        ...arrays.map(
          ({ name, shape }) =>
            [name, { dtype: "float32" as const, shape, data: state[name] as Float32Array }] as const,
        ),
        ...[decayOfMean, decayOfSquare].map(
          (decay, index) => [corrections[index as 0 | 1], scalar(1 / (1 - decay ** (steps + 1)))] as const,
        ),
      ]);
      await session.run(
        { ...feeds, ...known },
        { [reserved.loss]: loss, [lossesName]: losses, ...outputs, ...next },
      );
      for (const { name } of arrays)
        (state[name] as Float32Array).set(next[nextOf(name)]?.data as Float32Array);
      (state[lossesName] as Float32Array).set(losses.data as Float32Array);
      (state[stepsName] as Float32Array)[0] = steps + 1;
      return { loss: Number(loss.data[0]), derivatives: new Float64Array(), gradients, statistics: {} };
    },
    release: () => session.release(),
  };
}

/** Uniform in ± 1/√width, as PyTorch's linear layers begin; the same in every run. */
function firstNumbers({ shape, spread }: HeadTensor, index: number): Float32Array {
  const { data } = zeros("float32", shape);
  const numbers = data as Float32Array;
  fillUniform(fold(streamKey(0, "initialization"), index), 0, numbers);
  return numbers.map((number) => spread * (2 * number - 1));
}

/** The model with its heads, and a graph that computes its loss, all gradients and the heads' next numbers. */
function localGraph(
  objective: Objective,
  heads: readonly Head[],
): { readonly primal: Graph; readonly derived: Graph } {
  const { graph, output, parameters } = objective;
  const { graph: detached, cut } = detachedGraph(graph, heads);
  const g = new GraphBuilder(`${graph.name}/local heads`, detached);
  const prediction = getValue(graph, output);
  const own = heads.map((head) => {
    const [weight, bias] = tensorsOf(head).map(({ name, shape }) => g.input(name, "float32", shape));
    const features = head.emitFeatures(g, g.value(head.value));
    const product = g.matMul(normalize(g, features), weight as Value);
    const logits = g.reshape(g.add(product, bias as Value), [...prediction.shape]);
    return g.reduceMean(emitLossesOf(objective, g, logits), { keepdims: 0 });
  });
  const total = own.reduce((sum, one) => g.add(sum, one), g.value(reserved.loss));
  const losses = g.concat(...(own.map((one) => g.reshape(one, [1])) as [Value, ...Value[]]), { axis: 0 });
  const primal = g.build({
    [reserved.loss]: g.value(reserved.loss),
    [localHeadName("total", "")]: total,
    [lossesName]: losses,
  });
  const tensors = heads.flatMap(tensorsOf);
  const names = [...Object.keys(parameters), ...tensors.map(({ name }) => name)];
  const gradients = gradientGraph(
    primal,
    names,
    localHeadName("total", ""),
    [reserved.loss, lossesName],
    cut,
  );
  return {
    primal,
    derived: withAdam(gradients, tensors, [
      ...Object.keys(parameters).map(gradientName),
      reserved.loss,
      lossesName,
    ]),
  };
}

/** Mean 0 and variance 1 over the last axis, as PyTorch's layer_norm without parameters. */
function normalize(g: GraphBuilder, x: Value): Value {
  const axis = x.shape.length - 1;
  const centered = g.sub(x, g.reduceMean(x, [axis], { keepdims: 1 }));
  const variance = g.reduceMean(g.mul(centered, centered), [axis], { keepdims: 1 });
  return g.div(centered, g.sqrt(g.add(variance, 1e-5)));
}

/** Adds a step of Adam for the heads. @param outputs that stay */
function withAdam(gradients: Graph, tensors: readonly HeadTensor[], outputs: readonly string[]): Graph {
  const g = new GraphBuilder(gradients.name, gradients);
  const [ofMean, ofSquare] = corrections.map((name) => g.input(name, "float32", [])) as [Value, Value];
  const next = tensors.flatMap((tensor) => {
    const gradient = g.value(gradientName(tensor.name));
    const [mean, square] = (["mean", "square"] as const).map((part) =>
      g.input(arrayOf(tensor, part), "float32", tensor.shape),
    );
    // m ← β₁ m + (1 − β₁) g
    const newMean = g.add(g.mul(mean as Value, decayOfMean), g.mul(gradient, 1 - decayOfMean));
    // v ← β₂ v + (1 − β₂) g²
    const newSquare = g.add(
      g.mul(square as Value, decayOfSquare),
      g.mul(g.mul(gradient, gradient), 1 - decayOfSquare),
    );
    // w ← w − rate · m̂ / (√v̂ + ε)
    const step = g.div(g.mul(newMean, ofMean), g.add(g.sqrt(g.mul(newSquare, ofSquare)), epsilon));
    const value = g.sub(g.value(tensor.name), g.mul(step, rate));
    return [
      [arrayOf(tensor, "value"), value],
      [arrayOf(tensor, "mean"), newMean],
      [arrayOf(tensor, "square"), newSquare],
    ] as const;
  });
  return g.build({
    ...Object.fromEntries(outputs.map((name) => [name, g.value(name)])),
    ...Object.fromEntries(next.map(([name, value]) => [nextOf(name), value])),
  });
}
