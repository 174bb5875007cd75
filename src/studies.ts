/** The experiments of the paper and ours, and the closed-form functions that they descend. */
export { type FunctionName, functions } from "./functions/functions.ts";
export {
  type FunctionView,
  functionGraph,
  type Minimum,
  type TestFunction,
} from "./functions/test-function.ts";
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
