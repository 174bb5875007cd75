/** forwardgrad: train ONNX models with forward passes only. The catalogue, by layer. */

// ad: graph to graph
export { checkDerivatives, type DerivativeCheck, type DerivativeReport, type Evaluate } from "./ad/check.ts";
export { derivativeGraph, type TangentForm } from "./ad/derivatives.ts";
export { gradientGraph, localGradientGraph } from "./ad/gradient.ts";
export { transposeLinear } from "./ad/pullback.ts";
export { pushforward } from "./ad/pushforward.ts";
export { secondDerivativeGraph } from "./ad/second-derivative.ts";
export { activationSites, blockSites, defaultBlockPattern, type Site } from "./ad/sites.ts";
// aggregate: from derivatives and the Gram matrix to coefficients
export type { AggregationContext, Aggregator, AggregatorOptions } from "./aggregate/aggregator.ts";
export { type AggregatorName, aggregators } from "./aggregate/aggregators.ts";
export { expectedProjectionCosine } from "./aggregate/expected-cosine.ts";
export { type ProjectionOptions, projection } from "./aggregate/projection.ts";
// data
export { type Augmentation, formatAugmentation, parseAugmentation } from "./data/augment.ts";
export { epochOrder, readBatch, splitValidation } from "./data/batches.ts";
export { cifar10, parseCifar10 } from "./data/cifar10.ts";
export type { Column } from "./data/columns.ts";
export { checkExamples, type Dataset, type DatasetEntry, type Examples } from "./data/dataset.ts";
export { type DownloadOptions, downloadStore } from "./data/download.ts";
export { type GlyphOptions, glyphs } from "./data/glyphs.ts";
export { gunzip } from "./data/gzip.ts";
export { parseIdx } from "./data/idx.ts";
export { type DecodeImageOptions, type DecodePicture, decodeImage, type Picture } from "./data/image.ts";
export { type ImageFolderOptions, imageFolder } from "./data/image-folder.ts";
export { datasetNamed, datasets } from "./data/list.ts";
export { type MatArray, parseMat } from "./data/mat.ts";
export { mnist } from "./data/mnist.ts";
export { measureNormalization } from "./data/normalization.ts";
export { type NpyArray, parseNpy } from "./data/npy.ts";
export { type NpzOptions, npzDataset, readNpz } from "./data/npz.ts";
export { splitTest } from "./data/split.ts";
export type { FileCache, FileStore, ListedFiles, SourceFile } from "./data/store.ts";
export { svhn } from "./data/svhn.ts";
export { type TableOptions, tableDataset } from "./data/table.ts";
// functions: closed forms to minimize, as formulas and as graphs
export { type FunctionName, functions } from "./functions/functions.ts";
export {
  type FunctionView,
  functionGraph,
  type Minimum,
  type TestFunction,
} from "./functions/test-function.ts";
// limits: what a file may ask for
export { defaultLimits, type Limits } from "./limits/limits.ts";
// linalg
export { logGamma } from "./linalg/log-gamma.ts";
// losses
export { binaryCrossEntropy } from "./losses/binary-cross-entropy.ts";
export { type CrossEntropyOptions, crossEntropy, ignoredLabel } from "./losses/cross-entropy.ts";
export { attachLoss, type Loss } from "./losses/loss.ts";
export { type LossName, losses } from "./losses/losses.ts";
export { type MeanSquaredErrorOptions, meanSquaredError } from "./losses/mean-squared-error.ts";
// models
export { type ActivationName, activations } from "./models/activations.ts";
export { type ConvnetOptions, convnet } from "./models/convnet.ts";
export { type Lenet5Options, lenet5 } from "./models/lenet5.ts";
export { type MlpOptions, mlp } from "./models/mlp.ts";
export { type MlpMixerOptions, mlpMixer } from "./models/mlp-mixer.ts";
export { type ModelName, models } from "./models/models.ts";
export type { ModelOptions } from "./models/network.ts";
export { denormalize, type Normalization, normalize } from "./models/normalization.ts";
export { type Resnet18Options, resnet18 } from "./models/resnet18.ts";
export { type VitOptions, vit } from "./models/vit.ts";
// onnx: graphs and files
export { type Binding, bindInputs, hasOpenBatch } from "./onnx/bind.ts";
export {
  type DecodeOptions,
  decodeModel,
  type Model,
  type ModelValue,
  supportedOpsets,
} from "./onnx/decode.ts";
export { type EncodeOptions, encodeGraph, encodeModel } from "./onnx/encode.ts";
export {
  type Attribute,
  type Attributes,
  float,
  type Graph,
  initializersToInputs,
  int,
  ints,
  type Node,
  prune,
  string,
  type Value,
} from "./onnx/graph.ts";
export { metadataOf, withMetadata } from "./onnx/metadata.ts";
export { printModel } from "./onnx/print.ts";
export { printable } from "./onnx/printable.ts";
export {
  type DType,
  float32,
  float64,
  int64,
  type Tensor,
  type TensorData,
  tensor,
  toNumbers,
  zeros,
} from "./onnx/tensor.ts";
// ops: what each ONNX op means, and the graph builder
export { emittedOpset, GraphBuilder } from "./ops/builder.ts";
export { catalogue, type OpName, opNames } from "./ops/catalogue.ts";
export type { FactoredTangent, Op, Operand, Tangent } from "./ops/op.ts";
export { upgradeGraph } from "./ops/upgrade.ts";
// optim
export { type AdamOptions, adam } from "./optim/adam.ts";
export { adamw } from "./optim/adamw.ts";
export { clipGlobalNorm } from "./optim/clip.ts";
export type { Arrays, Optimizer, OptimizerOptions } from "./optim/optimizer.ts";
export { type OptimizerName, optimizers } from "./optim/optimizers.ts";
export { freshPlateau, observe, type Plateau, type PlateauOptions } from "./optim/plateau.ts";
export {
  type Schedule,
  type ScheduleName,
  type ScheduleOptions,
  schedules,
  withWarmUp,
} from "./optim/schedules.ts";
export { type SgdOptions, sgd } from "./optim/sgd.ts";
// random: numbers as a function of seed, stream and place
export {
  createDrawer,
  type Draw,
  type Drawer,
  type Fill,
  type ThreadHost,
} from "./random/drawer.ts";
export type { Distribution } from "./random/kernel.ts";
export { fillNormal } from "./random/normal.ts";
export { permutation } from "./random/permutation.ts";
export { fillRademacher } from "./random/rademacher.ts";
export { fold, type Key, keyFromSeed, threefry2x32 } from "./random/threefry.ts";
export { fillUniform } from "./random/uniform.ts";
// runtime: what any engine must offer; the engines are in forwardgrad/node
export { evaluate } from "./runtime/evaluate.ts";
export { type ProbeOptions, probe } from "./runtime/probe.ts";
export {
  DeviceError,
  type Runtime,
  type Session,
  type SessionOptions,
  type Tensors,
} from "./runtime/runtime.ts";
// studies: the paper's experiments, each with its claim, settings, charts and verdicts
export { functionLearningRate } from "./studies/function-reference.ts";
export {
  type Descent,
  type DescentOptions,
  type Ending,
  type GradientMethod,
  optimizeFunction,
  startDescent,
} from "./studies/optimize-function.ts";
export { runStudy, type StudyEvent, type StudyRun } from "./studies/run.ts";
export { resolveSettings } from "./studies/settings.ts";
export { studies } from "./studies/studies.ts";
export type {
  Chart,
  Column as StudyColumn,
  Results,
  Row,
  Settings,
  Study,
  Unit,
  Verdict,
} from "./studies/study.ts";
// tangents
export { derivativesAlong } from "./tangents/along.ts";
export { combine } from "./tangents/combine.ts";
export { fixedAngle } from "./tangents/fixed-angle.ts";
export { gaussian } from "./tangents/gaussian.ts";
export { gram } from "./tangents/gram.ts";
export { type LowRankOptions, lowRank } from "./tangents/low-rank.ts";
export { orthonormal } from "./tangents/orthonormal.ts";
export { rademacher } from "./tangents/rademacher.ts";
export type { Pieces, Sampler, SamplerOptions } from "./tangents/sampler.ts";
export { defaultSampler, type SamplerName, samplers } from "./tangents/samplers.ts";
export { type SphereOptions, sphere } from "./tangents/sphere.ts";
export { type StandardBasisOptions, standardBasis } from "./tangents/standard-basis.ts";
export {
  createTangentSet,
  drawTangents,
  type ParameterShape,
  type TangentPart,
  type TangentSet,
  tangentFeeds,
} from "./tangents/tangent-set.ts";
export { varyingLength } from "./tangents/varying-length.ts";
// train
export { type Checkpoint, loadCheckpoint, saveCheckpoint } from "./train/checkpoint.ts";
export { type DeriveOptions, deriveFile } from "./train/derive.ts";
export { DivergenceError } from "./train/divergence.ts";
export type { Estimate, Estimator } from "./train/estimator.ts";
export { activationsEstimator, weightsEstimator } from "./train/estimators.ts";
export { type EvaluateOptions, type Evaluation, evaluateModel } from "./train/evaluate-model.ts";
export type { TrainEvent, TrainResult } from "./train/events.ts";
export { cosine, exactGradient } from "./train/exact.ts";
export type { ExampleArrays } from "./train/example-arrays.ts";
export { importWarnings } from "./train/import-warnings.ts";
export { defaultLearningRate, type LearningRateRule } from "./train/learning-rate.ts";
export {
  compileObjective,
  type Differentiable,
  encodeModelFile,
  graphObjective,
  type Objective,
  type ObjectiveOptions,
  type Parameter,
} from "./train/objective.ts";
export type { TrainOptions } from "./train/options.ts";
export type { EstimatorOptions } from "./train/passes.ts";
export { createEstimator, type EstimatorSettings, type TrainSettings } from "./train/prepare.ts";
export type { RunStore } from "./train/run-store.ts";
export { decodeSafetensors, encodeSafetensors } from "./train/safetensors.ts";
export { type LearningRateSearchOptions, searchLearningRate } from "./train/search.ts";
export type { SearchEvent, SearchResult, Trial } from "./train/search-events.ts";
export type { Rung } from "./train/successive-halving.ts";
export { train } from "./train/train.ts";
