// The networks that are measured beside the 784-w-w-10 ones: convolutions and transformers, at the sizes that people train.

/** Integers below `count`, as token numbers. */
function tokens(batch, length, count) {
  const data = BigInt64Array.from({ length: batch * length }, (_, index) => BigInt((index * 7919) % count));
  return { dtype: "int64", shape: [batch, length], data };
}

/**
 * Networks by name: shape of an example and size of a batch; build, the graph from a build of this library, its entry points
 * together; input, a batch where it holds no pixels.
 */
export const networks = {
  lenet5: {
    shape: [1, 28, 28],
    batch: 64,
    build: ({ models }) => models.lenet5({ input: [1, 28, 28], outputs: 10 }),
  },
  "resnet18-16": {
    shape: [3, 32, 32],
    batch: 64,
    // Batch normalization couples the examples of a batch.
    build: ({ models }) => models.resnet18({ input: [3, 32, 32], outputs: 10, width: 16, norm: "group" }),
  },
  resnet18: {
    shape: [3, 32, 32],
    batch: 4,
    build: ({ models }) => models.resnet18({ input: [3, 32, 32], outputs: 10, norm: "group" }),
  },
  vit: {
    shape: [3, 32, 32],
    batch: 16,
    build: ({ models }) => models.vit({ input: [3, 32, 32], outputs: 10 }),
  },
  minilm: {
    shape: [128],
    batch: 8,
    build: (library) => encoder(library, { layers: 6, width: 384, heads: 12, length: 128, words: 30_522 }),
    input: () => tokens(8, 128, 30_522),
  },
};

/** An encoder of text like MiniLM, with a linear head on the first token: [batch, length] → `logits` [batch, 10]. */
function encoder({ GraphBuilder, fillUniform, keyFromSeed, fold }, { layers, width, heads, length, words }) {
  const g = new GraphBuilder("encoder");
  let count = 0;
  const parameter = (name, shape, scale) => {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    fillUniform(fold(keyFromSeed(3), count++), 0, data);
    for (let index = 0; index < data.length; index++) data[index] = 2 * scale * (data[index] - 0.5);
    return g.parameter(name, { dtype: "float32", shape, data });
  };
  const linear = (x, name, before, after) => {
    const weight = parameter(`${name}.weight`, [before, after], 1 / Math.sqrt(before));
    return g.add(g.matMul(x, weight), parameter(`${name}.bias`, [after], 1 / Math.sqrt(before)));
  };
  const ones = (name) =>
    g.parameter(name, { dtype: "float32", shape: [width], data: new Float32Array(width).fill(1) });
  const norm = (x, name) =>
    g.layerNormalization(x, ones(`${name}.weight`), parameter(`${name}.bias`, [width], 0), {
      axis: -1,
      epsilon: 1e-12,
    });
  const ids = g.input("input", "int64", [8, length]);
  let x = g.gather(parameter("words", [words, width], 0.03), ids, { axis: 0 });
  x = norm(g.add(x, parameter("positions", [length, width], 0.03)), "embeddings");
  const split = (value) => g.reshape(value, [0, length, heads, width / heads]);
  for (let layer = 0; layer < layers; layer++)
    x = g.block(`layer${layer}`, () => {
      const name = (part) => `layer${layer}.${part}`;
      const [query, key, value] = ["query", "key", "value"].map((part) =>
        split(linear(x, name(part), width, width)),
      );
      const scores = g.matMul(
        g.mul(g.transpose(query, { perm: [0, 2, 1, 3] }), Math.sqrt(heads / width)),
        g.transpose(key, { perm: [0, 2, 3, 1] }),
      );
      const mixed = g.matMul(g.softmax(scores, { axis: -1 }), g.transpose(value, { perm: [0, 2, 1, 3] }));
      const joined = g.reshape(g.transpose(mixed, { perm: [0, 2, 1, 3] }), [0, length, width]);
      const attended = norm(g.add(x, linear(joined, name("output"), width, width)), name("norm1"));
      const inner = g.gelu(linear(attended, name("inner"), width, 4 * width));
      return norm(g.add(attended, linear(inner, name("outer"), 4 * width, width)), name("norm2"));
    });
  const first = g.squeeze(g.slice(x, [0], [1], [1]), [1]);
  return g.build({ logits: g.block("head", () => linear(first, "head", width, 10)) });
}
