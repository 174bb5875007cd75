/** Samples of the ops in products/einsum.ts. */
import { string } from "../../../onnx/graph.ts";
import { type Sample, samplesOf, x } from "../sample.ts";

const sample = (equation: string, ...shapes: readonly (readonly number[])[]): Sample => ({
  inputs: shapes.map((shape) => x(shape)),
  attributes: { equation: string(equation) },
});

export const einsum = samplesOf({
  Einsum: [
    sample("ij,jk->ik", [2, 3], [3, 4]),
    sample("bhid,bhjd->bhij", [2, 2, 3, 4], [2, 2, 3, 4]),
    sample("ij,jk,kl->il", [2, 3], [3, 4], [4, 2]),
    sample("ij->ji", [2, 3]),
    sample("ij->i", [2, 3]),
    sample("ij->", [2, 3]),
    sample("i,j->ij", [2], [3]),
    sample(",i->i", [], [3]),
    // Without an arrow
    sample("ij,jk", [2, 3], [3, 4]),
    sample("ba", [2, 3]),
    // Diagonals and traces
    sample("ii->i", [3, 3]),
    sample("ii", [3, 3]),
    sample("iij,j->i", [2, 2, 3], [3]),
    sample("iii->i", [2, 2, 2]),
    // Ellipsis: both operands, one, broadcasting, moved in the result, summed over
    sample("...ij,...jk->...ik", [2, 2, 3], [2, 3, 2]),
    sample("...ij,jk->...ik", [2, 2, 3], [3, 2]),
    sample("...i,...i->...", [2, 3, 4], [1, 3, 4]),
    sample("...ij,...jk", [2, 1, 2, 3], [1, 3, 3, 2]),
    sample("i...,i...->...i", [2, 3], [2, 1]),
    sample("...ii->...i", [2, 3, 3]),
    // Broadcasting of a named index
    sample("ij,ij->ij", [2, 3], [1, 3]),
    // An index of one operand alone that is summed over
    sample("ij,k->k", [2, 3], [2]),
    sample("ij,jk->ik", [0, 3], [3, 2]),
    sample("ij,jk->ik", [2, 0], [0, 2]),
  ],
});
