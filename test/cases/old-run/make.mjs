/**
 * Makes the files of a run that stopped at step 20 of 60 with the build of a version whose checkpoints have no format:
 * `node make.mjs path/to/dist` in this folder. Needed only to make them again.
 */
import { makeStoppedRun } from "../stopped-run.mjs";

await makeStoppedRun(import.meta.dirname, (examples) => ({ ...examples, momentum: 0.9, learningRate: 0.1 }));
