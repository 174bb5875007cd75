/** Draws charts as SVG, with Vega. */
import * as vega from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { Chart, VegaLiteSpec } from "./chart.ts";

/** Vega's measure of texts, which it lets one replace; its types leave it out. */
interface TextMetrics {
  width: (item: { readonly fontSize?: number }, text: unknown) => number;
}

// Without a canvas Vega takes 0.8 of the font's size for each letter, and makes room that no text fills: a sans-serif
// letter is as wide as 0.56 of it.
const { textMetrics } = vega as unknown as { readonly textMetrics: TextMetrics };
textMetrics.width = ({ fontSize = 11 }, text) => 0.56 * fontSize * String(text ?? "").length;

/** Where a chart is shown: in the report's page, whose colours it takes, or as a file on white. */
export type Surface = "page" | "file";

/** The width of charts in files, and in the report on a desk; and on a phone. */
export const wideChart = 720;
export const narrowChart = 340;

/**
 * Draws a Vega-Lite specification as SVG.
 * @throws when the specification is wrong, naming the chart
 */
export async function drawChart(chart: Chart, width: number, surface: Surface): Promise<string> {
  const warnings: string[] = [];
  const log = (...parts: readonly unknown[]) => void warnings.push(parts.join(" "));
  const logger = { level: () => logger, error: log, warn: log, info: () => logger, debug: () => logger };
  const compiled = compile(styled(chart, width, surface) as unknown as TopLevelSpec, {
    logger: logger as never,
  });
  if (warnings.length > 0)
    throw new Error(`The chart '${chart.name}': ${warnings.join("; ")}; correct its specification.`);
  const view = new vega.View(vega.parse(compiled.spec), { renderer: "none" });
  try {
    return roundGeometry(await view.toSVG());
  } finally {
    view.finalize();
  }
}

/** A chart's specification with the look of all charts. */
export function styled(chart: Chart, width: number, surface: Surface): VegaLiteSpec {
  const text = surface === "page" ? "currentColor" : "#1b1f24";
  const quiet = "#8b949e";
  const font = "system-ui, sans-serif";
  const label = {
    labelColor: text,
    titleColor: text,
    labelFont: font,
    titleFont: font,
    titleFontWeight: "normal",
  };
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    background: surface === "page" ? "transparent" : "#ffffff",
    description: `${chart.title}. ${chart.caption}`,
    ...chart.spec(width),
    config: {
      font,
      // A description of the whole instead of a label on each of a thousand dots.
      mark: { aria: false },
      axis: {
        aria: false,
        ...label,
        labelFontSize: 11,
        titleFontSize: 12,
        gridColor: quiet,
        gridOpacity: 0.25,
        domainColor: quiet,
        tickColor: quiet,
      },
      legend: {
        ...label,
        labelFontSize: 11,
        titleFontSize: 12,
        symbolStrokeWidth: 1.5,
        layout: { bottom: { anchor: "start", direction: "vertical", margin: 6 } },
      },
      header: { ...label, labelFontSize: 12, titleFontSize: 12, labelFontWeight: "bold" },
      title: { color: text, font },
      text: { color: text, font },
      view: { stroke: quiet, strokeOpacity: 0.4 },
    },
  };
}

/** A hundredth of a pixel is enough, and makes files half as long. Labels keep their digits. */
function roundGeometry(svg: string): string {
  return svg.replaceAll(/\b(?:d|transform|[xy][12]?|width|height)="[^"]*"/g, (attribute) =>
    attribute.replaceAll(/\d+\.\d{3,}/g, (digits) => String(Number(Number(digits).toFixed(2)))),
  );
}
