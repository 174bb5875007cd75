/** Descent of parameters that stay where their gradients are computed. */
import { ModelError } from "../../errors/errors.ts";
import type { Estimator } from "../../estimate/estimator.ts";
import type { EstimatorState } from "../../estimate/state.ts";
import type { Differentiable } from "../../objective/objective.ts";
import { float32, type Tensor, zeros } from "../../onnx/tensor.ts";
import type { AdaptiveRule, Arrays, MomentumRule, Optimizer } from "../../optim/optimizer.ts";
import { compileGraph } from "../../runtime/evaluate.ts";
import type { Residence, Tensors } from "../../runtime/runtime.ts";
import type { Descent } from "./descent.ts";
import { optimizerGraph, squareGraph, stateOf, stepName } from "./optimizer-graph.ts";

/**
 * What moves parameters that stay on the device, with their gradients, the optimizer's state and what the estimator remembers. The
 * arrays that these came from are written by `settle`, and taken again after `forget`.
 *
 * @throws ModelError where the runtime has no residence, the estimator holds nothing, or the optimizer has no rule
 */
export async function heldDescent(
  objective: Differentiable,
  estimator: Estimator,
  optimizer: Optimizer,
): Promise<Descent> {
  const { runtime, parameters } = objective;
  const { residence } = runtime;
  const { held } = estimator;
  const { rule } = optimizer;
  if (!residence || !held || !rule)
    throw new ModelError(
      `The runtime ${runtime.name}, estimates of '${estimator.name}' or the optimizer '${optimizer.name}' hold nothing on a device.`,
    );
  const heldArrays = new HeldArrays(residence, held.memory);
  const update = await openUpdate(objective, held.gradients, rule, heldArrays);
  const arrays = Object.fromEntries(Object.entries(parameters).map(([name, { data }]) => [name, data]));
  let start = residence.crossed;
  const onDevice: Estimator["estimate"] = (feeds, key, state = estimator.init?.() ?? {}, before = 0) => {
    start = { ...residence.crossed };
    heldArrays.take("parameter", arrays);
    heldArrays.take("memory", state);
    return estimator.estimate(heldArrays.feeds(feeds, arrays), key, state, before);
  };
  const readGradients = async (): Promise<Arrays> =>
    Object.fromEntries(
      await Promise.all(
        Object.entries(held.gradients).map(
          async ([name, tensor]) => [name, (await residence.read(tensor)) as Float32Array] as const,
        ),
      ),
    );
  return {
    estimator: { ...estimator, estimate: onDevice },
    whole: {
      ...estimator,
      held: undefined,
      async estimate(feeds, key, state = estimator.init?.() ?? {}, before = 0) {
        await heldArrays.settle();
        heldArrays.forget();
        const estimate = await onDevice(feeds, key, state, before);
        const gradients = await readGradients();
        await heldArrays.settle();
        heldArrays.forget();
        return { ...estimate, gradients };
      },
    },
    isFinite: () => update.isFinite(),
    async aside(estimate, use) {
      await heldArrays.settle();
      const gradients = await readGradients();
      const before = heldArrays.sources();
      const result = await use({ ...estimate, gradients });
      heldArrays.forget();
      for (const [kind, from] of before) heldArrays.take(kind, from);
      for (const [name, tensor] of Object.entries(held.gradients))
        residence.write(tensor, gradients[name] as Float32Array);
      return result;
    },
    async step(_parameters, _gradients, state, rate, clip) {
      heldArrays.take("state", state);
      await update.step(state, rate, clip);
    },
    transferred() {
      const { up, down } = residence.crossed;
      return { up: up - start.up, down: down - start.down };
    },
    settle: () => heldArrays.settle(),
    forget: () => heldArrays.forget(),
    async release() {
      heldArrays.release();
      await Promise.all([estimator.release(), update.release()]);
    },
  };
}

type Kind = "parameter" | "state" | "memory";

/** Held tensors, and the arrays of the program that they came from. */
class HeldArrays {
  readonly #residence: Residence;
  readonly #memory: Tensors;
  /** By kind and name; those of `memory` are the estimator's. */
  readonly #held = new Map<string, Tensor>();
  readonly #inputs = new Map<string, Tensor>();
  readonly #from = new Map<Kind, EstimatorState>();
  #isWritten = false;

  constructor(residence: Residence, memory: Tensors) {
    this.#residence = residence;
    this.#memory = memory;
  }

  hold(kind: Kind, name: string, shape: readonly number[]): Tensor {
    const tensor = this.#residence.hold("float32", shape);
    this.#held.set(`${kind}/${name}`, tensor);
    return tensor;
  }

  /** Takes the numbers of arrays, where they are not here. They are written by `settle` from now on. */
  take(kind: Kind, arrays: EstimatorState): void {
    this.#isWritten = true;
    if (this.#from.has(kind)) return;
    this.#from.set(kind, arrays);
    for (const [tensor, data] of this.#pairs(kind, arrays)) this.#residence.write(tensor, data);
  }

  /** The feeds with held parameters, and what else is float32 held for all graphs of a step. */
  feeds(feeds: Tensors, parameters: Arrays): Tensors {
    return Object.fromEntries(
      Object.entries(feeds).map(([name, tensor]) => {
        const known = Object.hasOwn(parameters, name) ? this.#held.get(`parameter/${name}`) : undefined;
        if (known || tensor.dtype !== "float32") return [name, known ?? tensor];
        const input = this.#inputs.get(name) ?? this.#residence.hold("float32", tensor.shape);
        this.#inputs.set(name, input);
        this.#residence.write(input, tensor.data);
        return [name, input];
      }),
    );
  }

  /** Which arrays were taken. */
  sources(): readonly (readonly [Kind, EstimatorState])[] {
    return [...this.#from];
  }

  async settle(): Promise<void> {
    if (!this.#isWritten) return;
    for (const [kind, arrays] of this.#from)
      for (const [tensor, data] of this.#pairs(kind, arrays))
        data.set((await this.#residence.read(tensor)) as Float32Array);
    this.#isWritten = false;
  }

  forget(): void {
    this.#from.clear();
    this.#isWritten = false;
  }

  release(): void {
    this.#residence.release([...this.#held.values(), ...this.#inputs.values()]);
  }

  #pairs(kind: Kind, arrays: EstimatorState): readonly (readonly [Tensor, Float32Array])[] {
    return Object.entries(arrays).flatMap(([name, data]) => {
      const tensor =
        kind === "memory"
          ? Object.hasOwn(this.#memory, name)
            ? this.#memory[name]
            : undefined
          : this.#held.get(`${kind}/${name}`);
      return tensor ? [[tensor, data as Float32Array] as const] : [];
    });
  }
}

/** The optimizer's graph, with parameters and state that it replaces, and that of a gradient's length. */
async function openUpdate(
  objective: Pick<Differentiable, "parameters" | "runtime">,
  gradients: Tensors,
  rule: MomentumRule | AdaptiveRule,
  heldArrays: HeldArrays,
) {
  const { parameters, runtime } = objective;
  const replaced: Record<string, Tensor> = {};
  for (const [name, { shape }] of Object.entries(parameters)) {
    replaced[stepName("parameter", name)] = heldArrays.hold("parameter", name, shape);
    for (const what of stateOf(rule)) {
      const key = stepName(what, name);
      replaced[key] = heldArrays.hold("state", key, shape);
    }
  }
  const results = Object.fromEntries(
    Object.entries(replaced).map(([name, tensor]) => [`next/${name}`, tensor]),
  );
  const named = Object.fromEntries(
    Object.entries(gradients).map(([name, tensor]) => [stepName("gradient", name), tensor]),
  );
  const length = await compileGraph(runtime, squareGraph(parameters));
  const session = await compileGraph(runtime, optimizerGraph(rule, parameters), {
    stays: Object.keys(results),
  });
  const square = zeros("float32", []);
  const scalars: Record<string, Tensor> = Object.fromEntries(
    ["scale", ...("beta1" in rule ? ["size", "correction", "keep"] : ["rate"])].map((name) => [
      name,
      float32([0], []),
    ]),
  );
  return {
    async isFinite() {
      await length.run(named, { square });
      return Number.isFinite(square.data[0]);
    },
    /** The gradient's length is that which `isFinite` measured. */
    async step(state: Arrays, rate: number, clip: number | undefined) {
      const scale = clip === undefined ? 1 : Math.min(1, clip / (Math.sqrt(Number(square.data[0])) + 1e-6));
      const numbers = { scale, ...("beta1" in rule ? rule.begin(state, rate) : { rate }) };
      for (const [name, value] of Object.entries(numbers)) (scalars[name] as Tensor).data[0] = value;
      await session.run({ ...replaced, ...named, ...scalars }, results);
    },
    release: () => Promise.all([length.release(), session.release()]),
  };
}
