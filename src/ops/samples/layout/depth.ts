/** Samples of the ops in layout/depth.ts. */
import { int, string } from "../../../onnx/graph.ts";
import { samplesOf, x } from "../sample.ts";

export const depth = samplesOf({
  DepthToSpace: [
    { inputs: [x([2, 8, 2, 3])], attributes: { blocksize: int(2) } },
    { inputs: [x([2, 8, 2, 3])], attributes: { blocksize: int(2), mode: string("CRD") } },
    { inputs: [x([1, 9, 2, 1])], attributes: { blocksize: int(3), mode: string("DCR") } },
  ],
  SpaceToDepth: [
    { inputs: [x([2, 3, 4, 6])], attributes: { blocksize: int(2) } },
    { inputs: [x([1, 1, 6, 3])], attributes: { blocksize: int(3) } },
  ],
});
