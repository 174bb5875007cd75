/**
 * forwardgrad: train ONNX models with forward passes only. What programs are written with.
 *
 * @module forwardgrad
 */
export type { AggregationContext, Aggregator } from "./aggregate/aggregator.ts";
export { type AggregatorName, aggregators } from "./aggregate/aggregators.ts";
export { type NearBestOptions, nearBest } from "./aggregate/near-best.ts";
export { type ProjectionOptions, projection } from "./aggregate/projection.ts";
export type { Dataset, DatasetEntry, Examples } from "./data/dataset.ts";
export type { ExampleStream, StreamedExample } from "./data/example-stream.ts";
export type { Column } from "./data/files/columns.ts";
export type { Augmentation } from "./data/pictures/augment.ts";
export { type GlyphOptions, glyphs } from "./data/sets/glyphs.ts";
export {
  DataError,
  DeviceError,
  DivergenceError,
  ForwardgradError,
  ModelError,
  SettingError,
  StorageError,
  UnsupportedOpError,
} from "./errors/errors.ts";
export type { Mention, OptionValue, Worded, Words } from "./errors/words.ts";
export type { Estimate, Estimator, EstimatorDefinition, EstimatorPlan } from "./estimate/estimator.ts";
export { activations, blocks, type EstimatorName, estimators, weights } from "./estimate/estimators.ts";
export { cosine, exactGradient } from "./estimate/exact.ts";
export type { EstimatorOptions } from "./estimate/passes.ts";
export type { Quality } from "./estimate/quality.ts";
export type { EstimatorState } from "./estimate/state.ts";
export { type FeedbackOptions, feedback } from "./guess/feedback.ts";
export { type GuessName, guesses } from "./guess/guesses.ts";
export type { MomentumOptions } from "./guess/momentum.ts";
export { type ResidualOptions, residual } from "./guess/residual.ts";
export type { Limits } from "./limits/limits.ts";
export { binaryCrossEntropy } from "./losses/binary-cross-entropy.ts";
export { type CrossEntropyOptions, crossEntropy, ignoredLabel } from "./losses/cross-entropy.ts";
export type { Loss } from "./losses/loss.ts";
export { type LossName, losses } from "./losses/losses.ts";
export { type MeanSquaredErrorOptions, meanSquaredError } from "./losses/mean-squared-error.ts";
export type { ActivationName } from "./models/activations.ts";
export { type ConvnetOptions, convnet } from "./models/convnet.ts";
export { type Lenet5Options, lenet5 } from "./models/lenet5.ts";
export { type MlpOptions, mlp } from "./models/mlp.ts";
export { type MlpMixerOptions, mlpMixer } from "./models/mlp-mixer.ts";
export { type ModelName, models } from "./models/models.ts";
export type { ModelOptions } from "./models/network.ts";
export type { Normalization } from "./models/normalization.ts";
export { type Resnet18Options, resnet18 } from "./models/resnet18.ts";
export { type VitOptions, vit } from "./models/vit.ts";
export type { AdapterOptions } from "./objective/adapters/adapt-model.ts";
export { compileObjective } from "./objective/compile-objective.ts";
export { type DeriveOptions, deriveFile } from "./objective/derive.ts";
export { encodeModelFile } from "./objective/importing/model-file.ts";
export {
  type Differentiable,
  graphObjective,
  type Objective,
  type ObjectiveOptions,
  type Parameter,
} from "./objective/objective.ts";
export type { Graph, Value } from "./onnx/graph.ts";
export type { Model } from "./onnx/read-model.ts";
export {
  type DType,
  float32,
  float64,
  int64,
  type Tensor,
  type TensorData,
  tensor,
  zeros,
} from "./onnx/tensor.ts";
export { GraphBuilder } from "./ops/full-builder.ts";
export { type AdamOptions, adam } from "./optim/adam.ts";
export { adamw } from "./optim/adamw.ts";
export type { Arrays, Optimizer } from "./optim/optimizer.ts";
export { type OptimizerName, optimizers } from "./optim/optimizers.ts";
export type { Plateau } from "./optim/plateau.ts";
export {
  type Schedule,
  type ScheduleName,
  schedules,
} from "./optim/schedules.ts";
export { type SgdOptions, sgd } from "./optim/sgd.ts";
export { fold, type Key, keyFromSeed } from "./random/threefry.ts";
export { evaluate } from "./runtime/evaluate.ts";
export type { ProbeOptions } from "./runtime/probe.ts";
export type {
  Runtime,
  Session,
  SessionOptions,
  Tensors,
} from "./runtime/runtime.ts";
export type { SearchEvent, SearchResult, Trial } from "./search/events.ts";
export type { LearningRateSearchOptions } from "./search/options.ts";
export { searchLearningRate } from "./search/search.ts";
export type { Rung } from "./search/successive-halving.ts";
export type { Checkpoint, Snapshot } from "./storage/checkpoint.ts";
export type { RunStore } from "./storage/run-store.ts";
export { gaussian } from "./tangents/gaussian.ts";
export { type LowRankOptions, lowRank } from "./tangents/low-rank.ts";
export type { Sampler } from "./tangents/sampler.ts";
export { type SamplerName, samplers } from "./tangents/samplers.ts";
export { evaluateModel } from "./train/evaluation/evaluate-model.ts";
export type { Guessing } from "./train/evaluation/guessing.ts";
export type { EvaluateOptions, Evaluation } from "./train/evaluation/measure-model.ts";
export { type Prediction, type PredictOptions, predict } from "./train/evaluation/predict.ts";
export type { TrainEvent, TrainResult } from "./train/events.ts";
export type { ExampleArrays, UnlabelledExamples } from "./train/example-arrays.ts";
export { defaultLearningRate, type LearningRateRule } from "./train/learning-rate.ts";
export type {
  Recovery,
  RunCheckpoint,
  RunState,
} from "./train/run-state.ts";
export { createEstimator, type EstimatorSettings } from "./train/settings/estimator.ts";
export type { TrainOptions, TrainSettings } from "./train/settings/options.ts";
export { train } from "./train/train.ts";
