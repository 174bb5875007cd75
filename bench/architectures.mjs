/**
 * Imports the files that architectures.py wrote, takes the derivative of each along one direction, forward and by the exact
 * gradient, compares both with PyTorch's, and writes the table of docs/models.md.
 *
 *   node bench/architectures.mjs FOLDER [--write] [names of architectures]
 *
 * `npm run build` comes first. An error is a share of the root of the sum of squares of what each parameter adds to the
 * derivative, so that what cancels does not count.
 */
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compileObjective, deriveFile, exactGradient, keyFromSeed, meanSquaredError } from "../dist/index.js";
import { loadModel, nodeRuntime } from "../dist/node.js";
import { adaptModel } from "../dist/objective/adapters/adapt-model.js";

const [folder, ...rest] = process.argv.slice(2);
const isWritten = rest.includes("--write");
const wanted = rest.filter((argument) => argument !== "--write");
const runtime = nodeRuntime({ threads: 1 });

/** What a file is, and how far its derivative may be from PyTorch's: 8 bits also round activations, which PyTorch's do not. */
const kinds = {
  script: { title: "float32, TorchScript", bound: 1e-3 },
  dynamo: { title: "float32, torch.export", bound: 1e-3 },
  optimized: { title: "optimized", bound: 1e-3 },
  float16: { title: "float16", bound: 2e-2 },
  q4: { title: "4 bits", bound: 2e-3 },
  int8: { title: "int8, dynamic", bound: undefined },
  qdq: { title: "int8, static", bound: undefined },
};

function tensor({ dtype, shape, data }) {
  return dtype === "int64"
    ? { dtype, shape, data: BigInt64Array.from(data.map(BigInt)) }
    : { dtype: "float32", shape, data: Float32Array.from(data) };
}

const direction = (value) => 0.1 * Math.cos(50 * value);

/** The objective of a file: what is trained is what its import says, or adapters where all of it is quantized. */
async function objectiveOf(model) {
  const options = { loss: meanSquaredError(), runtime, batch: 2 };
  try {
    return { objective: await compileObjective({ model, ...options }), adapted: false };
  } catch (error) {
    if (!/has nothing to train/.test(error.message)) throw error;
    const adapted = adaptModel(model, { rank: 2 });
    const isAdapter = (name) => adapted.parameters.includes(name);
    const given = { model: adapted.model, trainable: isAdapter, ...options };
    return { objective: await compileObjective(given), adapted: true };
  }
}

async function measure(path, inputs, expected) {
  const { objective, adapted } = await objectiveOf(loadModel(path));
  const target = objective.graph.inputs.find(({ name }) => name === objective.target);
  const zeros = {
    ...target,
    data: new Float32Array(target.shape.reduce((product, size) => product * size, 1)),
  };
  const taken = Object.entries(inputs).filter(([name]) =>
    objective.graph.inputs.some((input) => input.name === name),
  );
  const feeds = {
    ...Object.fromEntries(taken.map(([name, given]) => [name, tensor(given)])),
    [objective.target]: zeros,
  };
  const tangents = Object.fromEntries(
    Object.entries(objective.parameters).map(([name, { shape, data }]) => [
      `tangent/${name}`,
      { dtype: "float32", shape: [1, ...shape], data: Float32Array.from(data, direction) },
    ]),
  );
  const session = await runtime.createSession(deriveFile(objective, { tangents: 1 }));
  const { loss, derivatives } = await session.run({ ...feeds, ...objective.parameters, ...tangents }, [
    "loss",
    "derivatives",
  ]);
  await session.release();
  const exact = await exactGradient(objective);
  const { gradients } = await exact.estimate({ ...feeds, ...objective.parameters }, keyFromSeed(0));
  const shares = Object.entries(gradients).map(([name, gradient]) =>
    gradient.reduce((sum, value, place) => sum + value * tangents[`tangent/${name}`].data[place], 0),
  );
  await exact.release?.();
  const scale = adapted || expected.scale === undefined ? Math.hypot(...shares) : expected.scale;
  const [forward] = derivatives.data;
  return {
    adapted,
    loss: Math.abs(loss.data[0] - expected.loss) / Math.abs(expected.loss),
    forward:
      adapted || expected.derivative === undefined
        ? undefined
        : Math.abs(forward - expected.derivative) / scale,
    transposed: Math.abs(forward - shares.reduce((sum, share) => sum + share, 0)) / scale,
    parameters: Object.keys(gradients).length,
  };
}

const digits = (value) => (value === undefined ? "" : value.toExponential(1));
const architectures = readdirSync(folder)
  .filter((name) => existsSync(join(folder, name, "reference.json")))
  .map((name) => ({
    path: join(folder, name),
    ...JSON.parse(readFileSync(join(folder, name, "reference.json"), "utf8")),
  }))
  .filter(({ name }) => wanted.length === 0 || wanted.includes(name));

const found = [];
for (const { name, path, family, inputs, files, failed } of architectures) {
  const results = {};
  for (const [kind, expected] of Object.entries(files)) {
    try {
      const file = join(path, `${kind}.onnx`);
      const result = await measure(file, inputs, expected);
      const { bound } = kinds[kind];
      const isRight =
        result.transposed < 2e-3 &&
        (bound === undefined || ((result.forward ?? 0) < bound && result.loss < bound));
      results[kind] = { ...result, isRight, bytes: statSync(file).size };
    } catch (error) {
      results[kind] = { isRight: false, refused: error.message.replaceAll("\n", " ") };
    }
    const { isRight, refused, loss, forward, transposed } = results[kind];
    console.log(
      `${name}, ${kind}: ${refused ?? `loss ${digits(loss)}, derivative ${digits(forward)}, transposed ${digits(transposed)}`}${isRight ? "" : " (!)"}`,
    );
  }
  found.push({ name, family, results, failed });
}
if (isWritten) writeFileSync(new URL("../docs/models.md", import.meta.url), page(found));

function page(all) {
  const measured = all.filter(({ results }) => Object.keys(results).length > 0);
  const families = [...new Set(measured.map(({ family }) => family))];
  const of = (kind, some) => some.flatMap(({ results }) => results[kind] ?? []);
  const cell = (kind, some) => {
    const files = of(kind, some);
    if (files.length === 0) return "";
    const right = files.filter(({ isRight }) => isRight);
    const errors = right.flatMap(({ forward }) => forward ?? []).sort((a, b) => a - b);
    const middle = errors[Math.floor(errors.length / 2)];
    return `${right.length} of ${files.length}${middle === undefined ? "" : `, ${digits(middle)}`}`;
  };
  const row = (title, some) =>
    `| ${title} | ${some.length} | ${Object.keys(kinds)
      .map((kind) => cell(kind, some))
      .join(" | ")} |`;
  const wrong = measured.flatMap(({ name, results }) =>
    Object.entries(results).flatMap(([kind, { isRight, refused, forward }]) =>
      isRight
        ? []
        : [`- ${name}, ${kinds[kind].title}: ${refused ?? `its derivative differs by ${digits(forward)}`}`],
    ),
  );
  const count = Object.keys(kinds).reduce((sum, kind) => sum + of(kind, measured).length, 0);
  const right = Object.keys(kinds).reduce(
    (sum, kind) => sum + of(kind, measured).filter(({ isRight }) => isRight).length,
    0,
  );
  const transposed = measured.flatMap(({ results }) =>
    Object.values(results).flatMap((result) => (result.isRight ? [result.transposed] : [])),
  );
  const names = (family) =>
    measured.flatMap((each) => (each.family === family ? [each.name] : [])).join(", ");
  return `# Architectures

What people download is somebody's architecture, exported by one of PyTorch's two exporters, and often optimized, halved or
quantized by a tool of ONNX Runtime. This page says for which of them derivatives are right: ${measured.length} architectures of
transformers and torchvision, with small random weights, in ${count} files, of which ${right} agree. It is made by

\`\`\`sh
python bench/architectures.py FOLDER   # torch, torchvision, transformers, timm, onnxruntime
node bench/architectures.mjs FOLDER --write
\`\`\`

Each file is imported as it is, and the loss mean(y²) of its first output is differentiated once along one direction of all that is
trained, 0.1 cos 50θ of each number θ, forward and by the exact gradient. PyTorch computes the same in float64, with the numbers
that the file stores: rounded to 16 bits, or dequantized. Errors are shares of the root of the sum of squares of what each parameter
adds to the derivative. Forward and exact derivatives of one file agree to ${digits(Math.max(...transposed))} everywhere.

| family | architectures | ${Object.values(kinds)
    .map(({ title }) => title)
    .join(" | ")} |
| --- | ---: | ${Object.keys(kinds)
    .map(() => "---:")
    .join(" | ")} |
${families
  .map((family) =>
    row(
      family,
      measured.filter((each) => each.family === family),
    ),
  )
  .join("\n")}
| **all** | ${measured.length} | ${Object.keys(kinds)
    .map((kind) => cell(kind, measured))
    .join(" | ")} |

A cell has the number of files that agree, of all that the exporter or tool could write, and the median error. A file agrees where
loss and derivative are PyTorch's to 1e-3 (4 bits: 2e-3, float16: 2e-2, because such files round constants as well), and forward and exact derivative the
same to 2e-3. Files in 8 bits round activations, which PyTorch's reference does not: their error is what that rounding
changes, a tangent passes it straight, and only forward and exact derivatives are held to each other. Optimized files
come from ONNX Runtime's optimizer of transformers (bert, gpt2, t5, bart and vit). Files in 4 bits have MatMulNBits, so networks without
matrix products have none; in int8 files, dynamic means DynamicQuantizeLinear with MatMulInteger or ConvInteger, static
QuantizeLinear and DequantizeLinear around MatMul, Gemm and Conv.

## Which

${families.map((family) => `**${family[0].toUpperCase()}${family.slice(1)}**: ${names(family)}.`).join("\n\n")}

## What does not agree

In all files with another derivative the loss is PyTorch's, and forward and exact derivatives agree. The likely reason is that such a file does not store
the parameters, but numbers that were computed of them (normalizations multiplied into convolutions, 1 + θ, positions that were looked up), so that the
direction, which follows from the stored numbers, is another one. That was seen in albert in 4 bits, of which the tool quantizes a shared matrix once; in the others it
was not looked for.

${wrong.length > 0 ? wrong.join("\n") : "Nothing."}
`;
}
