/** The samples of all ops. */
import type { OpName } from "./catalogue.ts";
import { activation } from "./samples/elementwise/activation.ts";
import { arithmetic } from "./samples/elementwise/arithmetic.ts";
import { choice } from "./samples/elementwise/choice.ts";
import { convert } from "./samples/elementwise/convert.ts";
import { dropout } from "./samples/elementwise/dropout.ts";
import { logic } from "./samples/elementwise/logic.ts";
import { rounding } from "./samples/elementwise/rounding.ts";
import { trigonometric } from "./samples/elementwise/trigonometric.ts";
import { depth } from "./samples/layout/depth.ts";
import { generate } from "./samples/layout/generate.ts";
import { indexing } from "./samples/layout/indexing.ts";
import { layout } from "./samples/layout/layout.ts";
import { pad } from "./samples/layout/pad.ts";
import { resize } from "./samples/layout/resize.ts";
import { select } from "./samples/layout/select.ts";
import { attention } from "./samples/products/attention.ts";
import { conv } from "./samples/products/conv.ts";
import { einsum } from "./samples/products/einsum.ts";
import { fourier } from "./samples/products/fourier.ts";
import { grid } from "./samples/products/grid.ts";
import { matmul } from "./samples/products/matmul.ts";
import { quantized } from "./samples/products/quantized.ts";
import { recurrent } from "./samples/products/recurrent.ts";
import { loss } from "./samples/reductions/loss.ts";
import { normalization } from "./samples/reductions/normalization.ts";
import { pool } from "./samples/reductions/pool.ts";
import { ranking } from "./samples/reductions/ranking.ts";
import { reduce } from "./samples/reductions/reduce.ts";
import type { Sample } from "./samples/sample.ts";

/** At least one sample for every op of the catalogue; a test fails where one is missing. */
export const samples: Readonly<Record<OpName, readonly Sample[]>> = {
  ...activation,
  ...arithmetic,
  ...attention,
  ...choice,
  ...conv,
  ...convert,
  ...dropout,
  ...depth,
  ...fourier,
  ...grid,
  ...indexing,
  ...layout,
  ...loss,
  ...matmul,
  ...normalization,
  ...recurrent,
  ...pad,
  ...pool,
  ...quantized,
  ...reduce,
  ...resize,
  ...einsum,
  ...generate,
  ...logic,
  ...ranking,
  ...rounding,
  ...select,
  ...trigonometric,
};
