/**
 * What needs Node: the native runtime, model files with their data files, folders of data, and folders for runs.
 *
 * @module forwardgrad/node
 */

export { cacheDirectory, folderCache, folderStore } from "./data/node-store.ts";
export { labelledTextStream } from "./data/node-table-rows.ts";
export { decodePicture } from "./data/pictures/node-picture.ts";
export type { NatsOptions, ServerOptions } from "./distributed/node-nats.ts";
export { joinByThread } from "./distributed/node-nats-transport.ts";
export { compareRuns } from "./reports/comparison.ts";
export { runReport, writeRunReport } from "./reports/run-report.ts";
export { type NodeDevice, type NodeRuntimeOptions, nodeDevices, nodeRuntime } from "./runtime/node.ts";
export { saveCheckpoint } from "./storage/checkpoint.ts";
export { loadModel } from "./storage/node-model.ts";
export { runFolder } from "./storage/node-run-folder.ts";
export { loadRunCheckpoint as loadCheckpoint } from "./train/run-state-schema.ts";
