/** Which rules beyond the catalogue a model needs: those of ONNX Runtime's own domain load where a model has such nodes. */
import type { Node } from "../../onnx/graph.ts";
import type { FurtherOps } from "../catalogue.ts";
import { runtimeDomain } from "./domain.ts";

/** The rules of ops beyond the catalogue, where some of the nodes are such ops. */
export async function furtherOps(nodes: readonly Node[]): Promise<FurtherOps> {
  if (!nodes.some(({ domain }) => domain === runtimeDomain)) return {};
  return (await import("./runtime-ops.ts")).runtimeOps;
}
