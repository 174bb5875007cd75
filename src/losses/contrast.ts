/** Contrast of pairs: each first half is to be nearer to its own second half than to those of all other pairs of the batch. */
import { reserved } from "../ad/names.ts";
import { SettingError } from "../errors/errors.ts";
import { option, words } from "../errors/words.ts";
import { formatShape, type Value } from "../onnx/graph.ts";
import { tensorOf } from "../onnx/tensor.ts";
import type { GraphBuilder } from "../ops/builder.ts";
import { cast, reshape } from "../ops/rules.ts";
import { named } from "../settings/named.ts";
import { type Given, number } from "../settings/option.ts";
import type { LossRule } from "./loss.ts";

export const contrastOptions = {
  /** Cosines are divided by it. Default 0.05, the scale 20 of sentence-transformers. Below 10⁻⁶, a float32 of a cosine says nothing any more. */
  temperature: number({ from: 1e-6 }, { help: "cosines are divided by it", default: 0.05 }),
};

/** Options of `contrast`. */
export type ContrastOptions = Given<typeof contrastOptions>;

/** A logit that no softmax sees. */
const never = -1e9;

/**
 * InfoNCE of cosines (van den Oord et al., arXiv 1807.03748), as sentence-transformers' MultipleNegativesRankingLoss: with embeddings
 * a_i and p_i of the pairs of a batch, ℓ_i = −log softmax_j(cos(a_i, p_j)/τ)_i. Examples lie in pairs, one behind the other, and both have the loss
 * of their pair. Target: `target`, [batch], the number of each example's pair; a pair that comes twice counts once among the others.
 *
 * The examples of a batch share their loss, so that none has derivatives of its own: exact gradients and tangents of weights train it.
 *
 * @throws when a graph is built, for a prediction that is not [batch, numbers] of at least two pairs
 */
export const contrast = named("loss", "contrast", contrastOptions, ({ temperature }): LossRule => {
  return {
    together: 2,
    target: ({ name, dtype, shape }) => {
      const [batch = 0] = shape;
      if (shape.length !== 2 || batch % 2 !== 0 || batch < 4)
        throw new SettingError(
          words`contrast reads '${name}' of shape ${formatShape(shape)}, expected [batch, numbers], the embeddings of at least two pairs; choose an
            output that has one embedding for each example (${option("output")}) or a new head that makes one of them (${option("head")}), an even batch of at least 4,
            and a model with an open batch axis.`,
          { option: "output" },
        );
      return { name: reserved.target, dtype, shape: [batch] };
    },
    perExample(g, embeddings, pairs) {
      const [batch = 0] = embeddings.shape;
      const count = batch / 2;
      const squares = g.reduceSum(g.mul(embeddings, embeddings), [1], { keepdims: 1 });
      const units = g.div(embeddings, g.sqrt(g.max(squares, 1e-24)));
      const [first, second] = [half(g, units, 0), half(g, units, 1)];
      const cosines = g.matMul(first, g.transpose(second, { perm: [1, 0] }));
      const logits = g.add(g.div(cosines, temperature), again(g, half(g, pairs, 0), count));
      const own = g.constant(tensorOf(embeddings.dtype, identity(count), [count, count]));
      const losses = g.reduceSum(g.mul(g.neg(g.logSoftmax(logits, { axis: 1 })), own), [1], { keepdims: 1 });
      return reshape(g, g.concat(losses, losses, { axis: 1 }), [batch]);
    },
  };
});

/** Rows 0, 2, 4, … or 1, 3, 5, …. */
function half(g: GraphBuilder, values: Value, from: 0 | 1): Value {
  const [batch = 0] = values.shape;
  return g.slice(values, [from], [batch], [0], [2]);
}

/** What takes the columns of pairs out that came before: [pairs, pairs]; a pair's own column stays. */
function again(g: GraphBuilder, pairs: Value, count: number): Value {
  const { dtype } = pairs;
  const [rows, columns] = [reshape(g, pairs, [count, 1]), reshape(g, pairs, [1, count])];
  const same = cast(g, g.equal(rows, columns), dtype);
  const before = Array.from({ length: count * count }, (_, at) =>
    Math.floor(at / count) < at % count ? 1 : 0,
  );
  // Whether column j was there before: the largest of same[i, j] over i < j.
  const came = g.reduceMax(g.mul(same, g.constant(tensorOf(dtype, before, [count, count]))), [0], {
    keepdims: 1,
  });
  const others = g.constant(
    tensorOf(
      dtype,
      identity(count).map((one) => (1 - one) * never),
      [count, count],
    ),
  );
  return g.mul(came, others);
}

function identity(count: number): number[] {
  return Array.from({ length: count * count }, (_, at) => (at % (count + 1) === 0 ? 1 : 0));
}
