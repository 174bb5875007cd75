/**
 * The experiments of the paper and ours, and the closed-form functions that they descend.
 *
 * @module forwardgrad/studies
 */

export type { Chart, VegaLiteSpec } from "./charts/chart.ts";
export { functionGraph } from "./functions/function-graph.ts";
export { type FunctionName, functions } from "./functions/functions.ts";
export type { FunctionView, Minimum, TestFunction } from "./functions/test-function.ts";
export {
  type Descent,
  type DescentOptions,
  type Ending,
  type GradientMethod,
  optimizeFunction,
  startDescent,
} from "./studies/functions/optimize.ts";
export { functionLearningRate } from "./studies/functions/reference.ts";
export { runStudy, type StudyEvent, type StudyRun } from "./studies/run.ts";
export { resolveSettings, type Scale } from "./studies/settings.ts";
export { studies } from "./studies/studies.ts";
export type {
  Column as StudyColumn,
  Environment,
  Fault,
  Reason,
  Results,
  Row,
  Setting,
  Settings,
  Study,
  Table,
  Unit,
  Verdict,
} from "./studies/study.ts";
