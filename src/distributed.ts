/**
 * Training over several machines: a coordinator, which is `train` with derivatives from elsewhere, and workers that follow its records.
 *
 * @module forwardgrad/distributed
 */

export {
  type Faults,
  type MemoryNetwork,
  type MemoryNetworkOptions,
  memoryNetwork,
} from "./distributed/memory-transport.ts";
export { CoordinatorReplacedError } from "./distributed/run/journal.ts";
export type { CrewEvent, QuestionRules } from "./distributed/run/questions.ts";
export { type TogetherOptions, trainTogether } from "./distributed/run/train-together.ts";
export { work } from "./distributed/run/work.ts";
export type {
  Lease,
  Listener,
  Log,
  LogEntry,
  Objects,
  Origin,
  Queue,
  Role,
  Task,
  Traffic,
  Transport,
} from "./distributed/transport.ts";
export { TransportError, type TransportReason } from "./distributed/transport-error.ts";
export {
  type DerivativeSource,
  type GranuleOptions,
  type GranuleRun,
  inGranules,
  type KnownEstimate,
  type MeasuredStep,
} from "./distributed/weights/granules.ts";
export type { WorkEvent, WorkOptions, WorkResult } from "./distributed/work-events.ts";
