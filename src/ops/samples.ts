import type { OpName } from "./catalogue.ts";
import { activation } from "./samples/activation.ts";
import { arithmetic } from "./samples/arithmetic.ts";
import { choice } from "./samples/choice.ts";
import { composite } from "./samples/composite.ts";
import { conv } from "./samples/conv.ts";
import { convert } from "./samples/convert.ts";
import { indexing } from "./samples/indexing.ts";
import { layout } from "./samples/layout.ts";
import { matmul } from "./samples/matmul.ts";
import { normalization } from "./samples/normalization.ts";
import { pool } from "./samples/pool.ts";
import { recurrent } from "./samples/recurrent.ts";
import { reduce } from "./samples/reduce.ts";
import type { Sample } from "./samples/sample.ts";
import { select } from "./samples/select.ts";

/** At least one sample for every op of the catalogue; a test fails where one is missing. */
export const samples: Readonly<Record<OpName, readonly Sample[]>> = {
  ...activation,
  ...arithmetic,
  ...choice,
  ...conv,
  ...composite,
  ...convert,
  ...indexing,
  ...layout,
  ...matmul,
  ...normalization,
  ...recurrent,
  ...pool,
  ...reduce,
  ...select,
};
