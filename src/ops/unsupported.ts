import { describeNode, type Node } from "../onnx/graph.ts";

/**
 * Why a node is refused and what helps: names node, op, domain and opset.
 *
 * @param names the supported ops, for suggestions
 */
export function unsupported(node: Node, opset: number, names: readonly string[]): string {
  const where = `${describeNode(node)} (domain '${node.domain || "ai.onnx"}', opset ${opset})`;
  if (node.domain !== "") return `${where}: ${domainRemedy(node.domain)}`;
  const reason = reasons.find(({ ops }) => ops.test(node.op));
  if (reason) return `${where}: ${reason.text}`;
  const near = similarNames(node.op, names);
  return (
    `${where}: this op is not supported.${near.length > 0 ? ` Similar ones that are: ${near.join(", ")}.` : ""} ` +
    `forwardgrad has rules for ${names.length} ops of the default domain; write the model with those, or ask for this one.`
  );
}

/** Ops that have no place in a differentiable graph of static shapes. */
const reasons: readonly { readonly ops: RegExp; readonly text: string }[] = [
  {
    ops: /^Optional\w*$/,
    text: "optional values are not supported. Export the model with tensors only.",
  },
  {
    ops: /^(String\w+|RegexFullMatch|TfIdfVectorizer|LabelEncoder|ImageDecoder)$/,
    text:
      "text and encoded images are not supported. Leave the preprocessing out of the exported model, and feed it numbers " +
      "(token ids, pixels).",
  },
  {
    ops: /^(QLinear\w+|QuantizeLinear|DequantizeLinear|DynamicQuantizeLinear|\w+Integer)$/,
    text:
      "quantized ops are not supported, because rounding has no derivative. Export the float model, before quantization, " +
      "train that, and quantize the result.",
  },
  {
    ops: /^(Random\w+|Bernoulli|Multinomial)$/,
    text:
      "ops that draw random numbers are not supported, because each run would be another function. Export the model in " +
      "eval mode, or make the noise an input of the model.",
  },
  {
    ops: /^(Unique|NonMaxSuppression)$/,
    text:
      "the shape of its result depends on data. Leave the postprocessing out of the exported model, and train what " +
      "comes before it.",
  },
  {
    ops: /^(Scatter|Upsample)$/,
    text:
      "this op was removed from the ONNX standard before opset 13. Convert the model with onnx.version_converter, which " +
      "writes ScatterElements or Resize.",
  },
];

function domainRemedy(domain: string): string {
  if (domain === "ai.onnx.ml") {
    return (
      "only ops of the default ONNX domain are supported; ai.onnx.ml holds trees, encoders and other models that are " +
      "not trained by gradients. Export the differentiable part of the pipeline alone."
    );
  }
  if (domain.startsWith("ai.onnx.preview.training") || domain === "ai.onnx.training") {
    return (
      "only ops of the default ONNX domain are supported, and this one belongs to a training graph. Export the model " +
      "for inference, without optimizer and gradients; forwardgrad adds its own."
    );
  }
  if (domain.startsWith("pkg.") || domain.startsWith("local")) {
    return (
      "only ops of the default ONNX domain are supported, and this is a function defined in the model file. Inline it " +
      "first: onnx.inliner.inline_local_functions(model)."
    );
  }
  return (
    "only ops of the default ONNX domain are supported. Export the model without fusions made for one runtime and " +
    `without custom ops (for example, before onnxruntime's optimizer writes '${domain}' ops).`
  );
}

/** Up to five names that differ from this one by a few letters or contain it, nearest first. */
export function similarNames(name: string, names: readonly string[]): string[] {
  const wanted = name.toLowerCase();
  return names
    .map((other) => ({ other, distance: distanceBetween(wanted, other.toLowerCase()) }))
    .filter(({ distance }) => distance <= Math.max(1, Math.floor(wanted.length / 3)))
    .sort((a, b) => a.distance - b.distance || (a.other < b.other ? -1 : 1))
    .slice(0, 5)
    .map(({ other }) => other);
}

/** Edit distance (Levenshtein); 1 where the shorter word, of 3 letters or more, begins or ends the longer one. */
function distanceBetween(a: string, b: string): number {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  if (short.length >= 3 && short !== long && (long.startsWith(short) || long.endsWith(short))) return 1;
  let row = Array.from({ length: b.length + 1 }, (_, place) => place);
  for (let place = 1; place <= a.length; place++) {
    const next = [place];
    for (let other = 1; other <= b.length; other++) {
      const substituted = (row[other - 1] ?? 0) + (a[place - 1] === b[other - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[other] ?? 0) + 1, (next[other - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
