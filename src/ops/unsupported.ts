/** What is said of an op that is not supported. */
import { option, type Words, words } from "../errors/words.ts";
import { describeNode, type Node } from "../onnx/graph.ts";
import { opNames } from "./catalogue.ts";
import { unknownOp, unsupportedOp } from "./find-op.ts";
import { runtimeDomain } from "./runtime-domain/domain.ts";

/**
 * Refuses a model with an op that is not supported.
 *
 * @throws for the first such node: names node, op, domain and opset, and what helps
 */
export function refuseUnsupported(node: Node, opset: number): never {
  throw unsupportedOp(node, unsupported(node, opset));
}

function unsupported(node: Node, opset: number): Words {
  const where = `${describeNode(node)} (domain '${node.domain || "ai.onnx"}', opset ${opset})`;
  if (node.domain !== "") return words`${where}: ${domainRemedy(node.op, node.domain)}`;
  const reason = reasons.find(({ ops }) => ops.test(node.op));
  if (reason) return words`${where}: ${reason.text}`;
  return unknownOp(node, opset, opNames);
}

/** Ops that cannot be in a differentiable graph of static shapes. */
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
    ops: /^(QLinear\w+|QAttention|QGemm|QEmbed\w+|DynamicQuantizeLSTM|MatMulBnb4)$/,
    text:
      "results that are rounded inside of an op have no derivative rule. Quantize the model with QuantizeLinear and " +
      "DequantizeLinear (quant_format=QDQ in quantize_static, without onnxruntime's optimizer), or export the float model, " +
      "before quantization, train that, and quantize the result.",
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
      "this op was removed from the ONNX standard before this opset, so the file does not follow it. Write ScatterElements " +
      "or Resize.",
  },
];

/** Ops of ONNX Runtime's own domain that are not supported, and what to export instead. */
const runtimeReasons: typeof reasons = [
  {
    ops: /^(NhwcConv|BiasAdd|BiasSoftmax|BiasSplitGelu|GroupNorm|SkipGroupNorm|Packed\w*|FusedMatMulActivation)$/,
    text:
      "this op has a kernel on some GPUs alone. Optimize the model for the CPU, or export it before the optimizer writes " +
      "this op.",
  },
  {
    ops: /^(DecoderMasked\w+|PagedAttention|SparseAttention|BeamSearch|GreedySearch|Sampling|WhisperBeamSearch)$/,
    text:
      "this op generates token by token. Export the decoder alone, without a loop of generation and without a key-value " +
      "cache.",
  },
];

/** Models of ai.onnx.ml that learn without gradients, or whose weights no gradient reaches. */
const classicalModels: readonly { readonly ops: RegExp; readonly text: string | Words }[] = [
  {
    ops: /^TreeEnsemble/,
    text: words`this is a tree ensemble (decision tree, random forest, gradient boosting), which has no weights that
      gradients train. Train it where it was made, or train a network on the same data (${option("mlp")}).`,
  },
  {
    ops: /^Linear(Classifier|Regressor)$/,
    text: words`this is a classical linear model (logistic or linear regression), which keeps its weights as settings
      of the node. Write it as a layer (in PyTorch: nn.Linear; in scikit-learn: MLPClassifier or MLPRegressor) and
      export that, or train one here on the same data (${option("mlp")}).`,
  },
  {
    ops: /^SVM/,
    text: words`this is a support vector machine, which is fitted by its support vectors, not by gradients. Train it
      where it was made, or train a network on the same data (${option("mlp")}).`,
  },
  {
    ops: /^(LabelEncoder|OneHotEncoder|CategoryMapper|DictVectorizer|FeatureVectorizer|Imputer|Normalizer|Binarizer|CastMap)$/,
    text:
      "this is a step that prepares data, without a derivative. Export the network behind it alone, and feed it the prepared " +
      "numbers.",
  },
];

function domainRemedy(op: string, domain: string): string | Words {
  if (domain === "ai.onnx.ml") {
    const model = classicalModels.find(({ ops }) => ops.test(op));
    if (model) return model.text;
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
      "only ops of the default ONNX domain and functions that the file defines are supported, and the file does not define " +
      "this one. Export the model again, with its functions."
    );
  }
  if (domain === runtimeDomain) {
    const reason = [...runtimeReasons, ...reasons].find(({ ops }) => ops.test(op));
    if (reason) return reason.text;
    return (
      "this op of ONNX Runtime is not supported; those that its optimizer writes for transformers are. Export the model " +
      "without fusions made for one runtime, or before onnxruntime's optimizer writes this op."
    );
  }
  return (
    "only ops of the default ONNX domain, and some of ONNX Runtime's, are supported. Export the model without fusions " +
    `made for one runtime and without custom ops (for example, before a tool writes '${domain}' ops).`
  );
}
