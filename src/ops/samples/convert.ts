import { int } from "../../onnx/graph.ts";
import { samplesOf, unary, x } from "./sample.ts";

export const convert = samplesOf({
  Cast: [{ inputs: [x([2, 3])], attributes: { to: int(1) } }],
  Identity: unary,
});
