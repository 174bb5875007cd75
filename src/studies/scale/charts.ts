/** What the study of scale draws. */
import type { Chart } from "../../charts/chart.ts";
import { interval, type Point, panelChart } from "../../charts/charts.ts";
import { numberIn } from "../statistics.ts";
import type { Results, Row } from "../study.ts";
import type { ScaleSettings } from "./cells.ts";
import { type SharingName, sharings, stepsForOne } from "./step.ts";

type Scale = Results<ScaleSettings>;

const names = Object.keys(sharings) as SharingName[];
const power = (value: number) =>
  `10${[...String(Math.round(Math.log10(value)))].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("")}`;

/** The value of a list that is nearest to a wish, on a logarithmic scale. */
export const nearest = (list: readonly number[], wish: number): number =>
  list.reduce((best, one) => (Math.abs(Math.log(one / wish)) < Math.abs(Math.log(best / wish)) ? one : best));

export const simulated = (summary: readonly Row[]) => summary.filter(({ part }) => part === "simulated");

export function scaleCharts(results: Scale): readonly Chart[] {
  const { settings, summary } = results;
  const parameters = nearest(settings.parameters, 1e8);
  const workers = nearest(settings.workers, 1000);
  const rows = simulated(summary);
  return [
    {
      name: "workers",
      title: `Seconds of a step over the number of workers, ${power(parameters)} parameters`,
      caption:
        "k numbers, sliced: each granule of tangents perturbs a slice of the parameters, so that less is drawn again. At thousands " +
        "of workers the one server's messages are the step; a step of averaged gradients ends where its line is full.",
      spec: chartOf(
        results,
        rows.filter((row) => row.parameters === parameters),
        "workers",
        "workers W",
      ),
    },
    {
      name: "parameters",
      title: `Seconds of a step over the number of parameters, ${workers.toLocaleString("en")} workers`,
      caption:
        "What k numbers cost beside passes is drawing tangents again; what gradients cost is their way. Both grow with n, the line's " +
        "share the faster the slower the line is.",
      spec: chartOf(
        results,
        rows.filter((row) => row.workers === workers),
        "parameters",
        "parameters n",
      ),
    },
    {
      name: "progress",
      title: `How much longer k numbers take than gradients to get as far, ${workers.toLocaleString("en")} workers, ${power(parameters)} parameters`,
      caption:
        "Below 1, k numbers train faster. A step of k numbers gets as far as 1/(1 + r/k) of an exact one, where r is the number of " +
        "directions in which the loss is curved, of which fine-tuning has few and training from scratch many.",
      spec: gainOf(
        results,
        rows.filter((row) => row.parameters === parameters && row.workers === workers),
      ),
    },
  ];
}

function chartOf({ settings }: Scale, rows: readonly Row[], x: "workers" | "parameters", title: string) {
  const points = rows.map(
    (row): Point => ({
      x: numberIn(row, x),
      ...interval(numberIn(row, "seconds_mean"), row.seconds_ci95 as number | undefined),
      series: String(row.sharing),
      panel: String(row.host),
      kind: "measured",
    }),
  );
  return (width: number) =>
    panelChart(
      {
        points,
        x: { title, log: 10 },
        y: { title: "seconds of a step", log: 10 },
        series: { title: "exchanged", values: names },
        panels: settings.hosts,
        kinds: { measured: "simulated" },
        joined: true,
      },
      width,
    );
}

/** Seconds of k numbers in those of gradients, as many steps counted as get as far; curved are no more directions than there are. */
export function timeRatio(rows: readonly Row[], host: string, tangents: number, curved: number): number {
  const seconds = (sharing: SharingName) =>
    rows
      .filter((row) => row.host === host && row.sharing === sharing)
      .map((row) => numberIn(row, "seconds_mean"))[0] ?? Number.NaN;
  const parameters = Math.max(...rows.map((row) => numberIn(row, "parameters")));
  return (
    (stepsForOne(tangents, Math.min(curved, parameters)) * seconds("k numbers, sliced")) /
    seconds("all-reduce")
  );
}

function gainOf({ settings }: Scale, rows: readonly Row[]) {
  const points = settings.hosts.flatMap((host) =>
    settings.curved.map(
      (curved): Point => ({
        x: curved,
        y: timeRatio(rows, host, settings.tangents, curved),
        series: host,
        kind: "measured",
      }),
    ),
  );
  const even = settings.curved.map((x): Point => ({ x, y: 1, series: "as fast", kind: "expected" }));
  return (width: number) =>
    panelChart(
      {
        points: [...points, ...even],
        x: { title: "directions in which the loss is curved, r", log: 10 },
        y: { title: "time of k numbers in that of gradients", log: 10 },
        series: { title: "where", values: [...settings.hosts, "as fast"] },
        kinds: false,
        joined: true,
      },
      width,
    );
}
