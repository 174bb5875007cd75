/** Charts drawn for a page. */
import type { Chart } from "../charts/chart.ts";
import type { DrawnChart } from "../charts/page.ts";

/** Each chart twice: for wide windows and for phones. Vega loads here. */
export async function drawForPage(charts: readonly Chart[]): Promise<DrawnChart[]> {
  const { drawChart, narrowChart, wideChart } = await import("../charts/vega.ts");
  const drawn: DrawnChart[] = [];
  for (const chart of charts)
    drawn.push({
      chart,
      wide: await drawChart(chart, wideChart, "page"),
      narrow: await drawChart(chart, narrowChart, "page"),
    });
  return drawn;
}
