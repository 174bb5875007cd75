import type { OpName } from "./catalogue.ts";
import { activation } from "./samples/activation.ts";
import { arithmetic } from "./samples/arithmetic.ts";
import { attention } from "./samples/attention.ts";
import { choice } from "./samples/choice.ts";
import { conv } from "./samples/conv.ts";
import { convert } from "./samples/convert.ts";
import { depth } from "./samples/depth.ts";
import { dropout } from "./samples/dropout.ts";
import { einsum } from "./samples/einsum.ts";
import { fourier } from "./samples/fourier.ts";
import { generate } from "./samples/generate.ts";
import { grid } from "./samples/grid.ts";
import { indexing } from "./samples/indexing.ts";
import { layout } from "./samples/layout.ts";
import { logic } from "./samples/logic.ts";
import { loss } from "./samples/loss.ts";
import { matmul } from "./samples/matmul.ts";
import { normalization } from "./samples/normalization.ts";
import { pad } from "./samples/pad.ts";
import { pool } from "./samples/pool.ts";
import { ranking } from "./samples/ranking.ts";
import { recurrent } from "./samples/recurrent.ts";
import { reduce } from "./samples/reduce.ts";
import { resize } from "./samples/resize.ts";
import { rounding } from "./samples/rounding.ts";
import type { Sample } from "./samples/sample.ts";
import { select } from "./samples/select.ts";
import { trigonometric } from "./samples/trigonometric.ts";

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
