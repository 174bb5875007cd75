/**
 * From graphs to graphs that compute derivatives, and the pieces that a forward gradient is made of.
 *
 * @module forwardgrad/autodiff
 */

export { blockName, blockSites } from "./ad/blocks.ts";
export { checkDerivatives, type DerivativeCheck, type DerivativeReport, type Evaluate } from "./ad/check.ts";
export { derivativeGraph, type TangentForm } from "./ad/derivatives.ts";
export { gradientGraph, localGradientGraph } from "./ad/gradient.ts";
export { transposeLinear } from "./ad/pullback.ts";
export { type PushforwardOptions, pushforward } from "./ad/pushforward.ts";
export { secondDerivativeGraph } from "./ad/second-derivative.ts";
export { activationSites, type Site } from "./ad/sites.ts";
export type { AggregationContext, Aggregator } from "./aggregate/aggregator.ts";
export type { AggregatorName } from "./aggregate/aggregators.ts";
export { expectedProjectionCosine } from "./aggregate/expected-cosine.ts";
export type { ProjectionOptions } from "./aggregate/projection.ts";
export { activationsEstimator, weightsEstimator } from "./estimate/estimators.ts";
export { aggregate, forwardGradient } from "./estimate/forward-gradient.ts";
export type { ExampleTangents, Method, Passes, Primal } from "./estimate/passes.ts";
export { type Gradients, measureQuality, type Quality, qualityOf } from "./estimate/quality.ts";
export { type ActivationsOptions, keptSites } from "./estimate/sites/kept.ts";
export { redrawnSites } from "./estimate/sites/redrawn.ts";
export { keptWeights } from "./estimate/weights/kept.ts";
export { redrawnWeights } from "./estimate/weights/redrawn.ts";
export type {
  Guess,
  GuessedSite,
  GuessRule,
  GuessSignal,
  ParameterGuess,
  ParameterMemory,
  ParameterObservation,
  SiteGuess,
  SiteMemory,
  SiteObservation,
  StepObservation,
} from "./guess/guess.ts";
export { logGamma } from "./linalg/log-gamma.ts";
export { type ContrastOptions, contrast } from "./losses/contrast.ts";
export { attachLoss } from "./losses/loss.ts";
export { emittedOpset } from "./ops/builder.ts";
export { catalogue, type OpName, opNames } from "./ops/catalogue.ts";
export type { AttributeInputs, Emitter, Operand } from "./ops/emitter.ts";
export { upgradeGraph } from "./ops/full-upgrade.ts";
export type { FactoredTangent, Op, StackedTangent, Tangent } from "./ops/op.ts";
export type { Range, RangeRule } from "./ops/range.ts";
export type { ComputedNode, NodeView, ValueType } from "./ops/view.ts";
export { clipGlobalNorm } from "./optim/clip.ts";
export { freshPlateau, observe, type PlateauRule } from "./optim/plateau.ts";
export { withWarmUp } from "./optim/schedules.ts";
export { createDrawer, type Draw, type Drawer, type Fill, type ThreadHost } from "./random/drawer.ts";
export type { Distribution } from "./random/kernel.ts";
export { fillNormal } from "./random/normal.ts";
export { permutation } from "./random/permutation.ts";
export { fillRademacher } from "./random/rademacher.ts";
export { type Key, threefry2x32 } from "./random/threefry.ts";
export { fillUniform } from "./random/uniform.ts";
export { derivativesAlong } from "./tangents/along.ts";
export { combine } from "./tangents/combine.ts";
export { type FixedAngleOptions, fixedAngle } from "./tangents/fixed-angle.ts";
export { gram } from "./tangents/gram.ts";
export type { LowRankOptions } from "./tangents/low-rank.ts";
export { orthonormal } from "./tangents/orthonormal.ts";
export { rademacher } from "./tangents/rademacher.ts";
export type { Pieces, Sampler } from "./tangents/sampler.ts";
export { defaultSampler, type SamplerName } from "./tangents/samplers.ts";
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
export type { Descent } from "./train/descent/descent.ts";
export { createDescent } from "./train/descent/open.ts";
