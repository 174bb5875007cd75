/** What feedback learned as pictures: rows of its matrix at the first site, through the first layer's weights. */
import type { Chart, VegaLiteSpec } from "../../charts/chart.ts";
import { palette } from "../../charts/charts.ts";
import { groupBy, numberIn } from "../statistics.ts";
import type { Results, Row } from "../study.ts";
import { type FeedbackSettings, networkName } from "./cells.ts";

const kinds = ["learned", "mean Jacobian"] as const;
const raises = "raises the logit";
const lowers = "lowers it";
/** Fainter pixels are not seen, and would make files several times as long. */
const faintest = 0.04;

/** A pixel of a picture, relative to the strongest of its picture. */
interface Pixel {
  readonly x: number;
  readonly y: number;
  readonly logit: string;
  readonly kind: (typeof kinds)[number];
  readonly effect: string;
  readonly strength: number;
}

/** None where no picture was taken. */
export function pictureChart({ rows, settings }: Results<FeedbackSettings>): readonly Chart[] {
  const shown = rows.filter(({ part }) => part === "picture");
  const [first] = shown;
  if (!first) return [];
  const pixels = groupBy(shown, ["logit"]).flatMap((picture) => [
    ...pixelsOf(picture, "learned", "learned"),
    ...pixelsOf(picture, "exact", "mean Jacobian"),
  ]);
  const logits = [...new Set(pixels.map(({ logit }) => logit))];
  return [
    {
      name: "matrix-pictures",
      title: "What feedback learned, as pictures",
      caption:
        `Rows of the matrix at the first site of ${networkName(first)}, through the first layer's weights, after ${numberIn(first, "step")} steps ` +
        `(k = ${settings.tangents}): how a digit's logit moves with each pixel, as learned from tangents alone, and as the mean Jacobian of the exact ` +
        "network has it. Each pixel counts by its standard deviation over the examples, each picture by its strongest pixel.",
      spec: (width) => pictureSpec(pixels, logits, width),
    },
  ];
}

function pixelsOf(
  picture: readonly Row[],
  column: "learned" | "exact",
  kind: Pixel["kind"],
): readonly Pixel[] {
  const largest = picture.reduce((most, row) => Math.max(most, Math.abs(numberIn(row, column))), 0) || 1;
  return picture.flatMap((row) => {
    const value = numberIn(row, column) / largest;
    const strength = Number(Math.abs(value).toFixed(2));
    if (strength < faintest) return [];
    const [x, y] = [numberIn(row, "x"), numberIn(row, "y")];
    return [{ x, y, logit: `“${row.logit}”`, kind, effect: value > 0 ? raises : lowers, strength }];
  });
}

/** Both kinds below each other on a desk, side by side on a phone. */
function pictureSpec(pixels: readonly Pixel[], logits: readonly string[], width: number): VegaLiteSpec {
  const isNarrow = width < 500;
  const kind = { field: "kind", type: "nominal", title: null, sort: kinds };
  const logit = { field: "logit", type: "nominal", title: null, sort: logits };
  const upright = { labelAngle: 0, labelAlign: "left", labelAnchor: "middle", labelPadding: 4 };
  const columns = isNarrow ? kinds.length : logits.length;
  // Beside the labels of the rows.
  const size = Math.floor((width - (isNarrow ? 44 : 126)) / columns) - 8;
  const count = 1 + Math.max(...pixels.map(({ x, y }) => Math.max(x, y)));
  const at = (field: "x" | "y") => ({
    field,
    type: "ordinal",
    axis: null,
    scale: { domain: Array.from({ length: count }, (_, index) => index), padding: 0 },
  });
  return {
    data: { values: pixels },
    facet: isNarrow
      ? { row: { ...logit, header: upright }, column: kind }
      : { row: { ...kind, header: upright }, column: logit },
    spacing: 8,
    spec: {
      width: size,
      height: size,
      mark: { type: "rect" },
      encoding: {
        x: at("x"),
        y: at("y"),
        color: {
          field: "effect",
          type: "nominal",
          scale: { domain: [raises, lowers], range: [palette[4], palette[3]] },
          legend: { title: null, orient: "bottom", direction: "horizontal", symbolType: "square" },
        },
        opacity: {
          field: "strength",
          type: "quantitative",
          scale: { domain: [0, 1], range: [0, 1] },
          legend: null,
        },
      },
    },
  };
}
