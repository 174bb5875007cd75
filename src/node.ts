/** What needs Node: the native runtime, model files with their data files, folders of data, and folders for runs. */
export { loadModel } from "./cli/load-model.ts";
export { runFolder } from "./cli/run-folder.ts";
export { decodePicture } from "./data/node-picture.ts";
export { cacheDirectory, folderCache, folderStore } from "./data/node-store.ts";
export { type NodeDevice, type NodeRuntimeOptions, nodeDevices, nodeRuntime } from "./runtime/node.ts";
