/**
 * What needs a page, or a worker of one: onnxruntime-web as the runtime, stores for runs, and files that people drop.
 *
 * @module forwardgrad/web
 */

export { type DroppedFile, type DroppedFiles, droppedFiles } from "./data/dropped-files.ts";
export { decodePicture } from "./data/pictures/page-picture.ts";
export { joinFromPage, type PageJoinOptions } from "./distributed/nats/join-from-page.ts";
export { linesOf, type RunNotes, type RunRecord, readRun } from "./reports/run-record.ts";
export { differingSettings, resultsTable } from "./reports/run-tables.ts";
export { type WebDevice, type WebRuntimeOptions, webDevices, webRuntime } from "./runtime/web.ts";
export { type MemoryStore, memoryStore } from "./storage/memory-store.ts";
export { importRun, type OpfsStore, opfsRuns, opfsStore } from "./storage/opfs-store.ts";
export type { ModelFiles, Predictions, StepEvent, WorkerTrainOptions } from "./worker/messages.ts";
export { serveTraining, type WorkerScope } from "./worker/serve-training.ts";
export { serveWork } from "./worker/serve-work.ts";
export { trainInWorker, type WorkerLike, type WorkerTraining } from "./worker/train-in-worker.ts";
export { type PageWorkOptions, workInWorker } from "./worker/work-in-worker.ts";
export type { AskedWork, PageWorkEvent } from "./worker/work-messages.ts";
