/** Charts of points, lines and intervals in panels, as data. */
import type { VegaLiteSpec } from "./chart.ts";

/** Colours that people with any colour vision tell apart, on white and on black (Okabe and Ito, without the extremes, then a violet and grey). */
export const palette = [
  "#0072B2",
  "#E69F00",
  "#009E73",
  "#D55E00",
  "#56B4E9",
  "#CC79A7",
  "#9a6fe0",
  "#8b949e",
] as const;

const solid = [1, 0];
const dashed = [5, 3];

/** One point of a chart. */
export interface Point {
  readonly x: number;
  readonly y: number;
  /** Ends of its 95 % interval. */
  readonly low?: number;
  readonly high?: number;
  /** Which line it belongs to: one of `series.values`. */
  readonly series: string;
  /** How its line is drawn: one of `styles.values`; absent where all lines are solid. */
  readonly style?: string;
  /** Which panel it is in: one of `panels`; absent where there is one panel. */
  readonly panel?: string;
  /** Measured: a dot with its interval. Expected: the line through all such points. Reference: a diamond. */
  readonly kind: "measured" | "expected" | "reference";
}

export interface ChartAxis {
  /** With the unit: "time of a step (ms)". */
  readonly title: string;
  /** Logarithmic, with ticks at powers of this base. */
  readonly log?: 2 | 10;
  /** Ends of the axis; default: the data's. */
  readonly domain?: readonly [number, number];
  /** Places of the ticks; default: chosen. */
  readonly ticks?: readonly number[];
}

export interface PanelChart {
  readonly points: readonly Point[];
  readonly x: ChartAxis;
  readonly y: ChartAxis;
  /** In the order of the legend, which names all unless `named` says which; the eighth and all after it are grey. */
  readonly series: {
    readonly title: string;
    readonly values: readonly string[];
    readonly named?: readonly string[];
  };
  /** A second distinction of lines, in the order of the legend: the first is solid, the second dashed. */
  readonly styles?: { readonly title: string; readonly values: readonly [string, string] };
  /** Headings of panels with the same axes, side by side or below each other. */
  readonly panels?: readonly string[];
  /** What the kinds are called in the legend; false where the names of the series say it. */
  readonly kinds?:
    | false
    | { readonly measured?: string; readonly expected?: string; readonly reference?: string };
  /** True joins the measured points of a series by a line. */
  readonly joined?: boolean;
}

/** Lines, dots with intervals and diamonds, in one or more panels. */
export function panelChart(chart: PanelChart, width: number): VegaLiteSpec {
  const panels = chart.panels ?? [""];
  const columns = width < 500 ? 1 : panels.length === 3 ? 3 : Math.min(panels.length, 2);
  // What is left for a panel beside its tick labels and the gap.
  const panelWidth = Math.floor(width / columns - 52);
  const height = Math.round(Math.min(Math.max(0.75 * panelWidth, 200), 300));
  const { named = chart.series.values } = chart.series;
  const color = {
    field: "series",
    type: "nominal",
    scale: { domain: chart.series.values, range: coloursOf(chart.series.values) },
    legend: {
      title: chart.series.title,
      orient: "bottom",
      direction: "horizontal",
      columns: legendColumns(named, width),
      values: named,
      symbolType: "square",
      symbolOpacity: 1,
    },
  };
  const kinds = { measured: "measured", expected: "expected", reference: "authors' code", ...chart.kinds };
  const present = (["measured", "expected", "reference"] as const).filter((kind) =>
    chart.points.some((point) => point.kind === kind),
  );
  const across = axisOf(
    chart.x,
    chart.points.map((point) => point.x),
    panelWidth,
  );
  const up = axisOf(
    { ...chart.y, title: "" },
    chart.points.flatMap(({ y, low = y, high = y }) => [y, low, high]),
    height,
  );
  const x = { field: "x", type: "quantitative", ...across.encoding };
  const y = { field: "y", type: "quantitative", ...up.encoding };
  const only = (kind: Point["kind"]) => [{ filter: `datum.kind === '${kind}'` }];
  const legendOfKinds = {
    field: "kind",
    type: "nominal",
    scale: {
      domain: present,
      range: present.map((kind) => ({ measured: "circle", expected: "stroke", reference: "diamond" })[kind]),
    },
    legend:
      chart.kinds === false
        ? null
        : {
            title: null,
            orient: "bottom",
            direction: "horizontal",
            columns: width < 500 ? 2 : 3,
            labelExpr: `({${present.map((kind) => `'${kind}': ${JSON.stringify(kinds[kind])}`).join(", ")}})[datum.label]`,
            symbolStrokeColor: "#8b949e",
            symbolFillColor: "transparent",
            symbolSize: 70,
          },
  };
  const dash = chart.styles && {
    strokeDash: {
      field: "style",
      type: "nominal",
      scale: { domain: chart.styles.values, range: [solid, dashed] },
      legend: {
        title: chart.styles.title,
        orient: "bottom",
        direction: "horizontal",
        symbolType: "stroke",
        symbolSize: 400,
      },
    },
  };
  const layers = [
    {
      transform: only("expected"),
      mark: { type: "line", strokeWidth: 1.3, clip: true },
      encoding: { x, y, color, detail: { field: "series" }, ...dash },
    },
    ...(chart.joined
      ? [
          {
            transform: only("measured"),
            mark: { type: "line", strokeWidth: 1.8, clip: true },
            encoding: { x, y, color, ...dash },
          },
        ]
      : []),
    {
      transform: [{ filter: "datum.kind === 'measured' && isValid(datum.low)" }],
      mark: { type: "rule", strokeWidth: 1.3, clip: true },
      encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color },
    },
    {
      transform: only("measured"),
      mark: { type: "point", filled: true, size: 34, opacity: 1 },
      encoding: { x, y, color, shape: legendOfKinds },
    },
    {
      transform: only("reference"),
      mark: { type: "point", filled: false, size: 60, strokeWidth: 1.2, opacity: 1 },
      encoding: { x, y, color, shape: legendOfKinds },
    },
  ];
  // An interval that reaches 0 has no end on a logarithmic axis but the frame. Six digits are more than can be seen.
  const digits = (value: number) => Number(value.toPrecision(6));
  const values = chart.points.map(({ low, high, ...point }) => ({
    ...point,
    y: digits(point.y),
    ...(low === undefined || high === undefined
      ? {}
      : { low: digits(Math.max(low, up.domain[0])), high: digits(high) }),
  }));
  const data = { values };
  // What y is stands above all panels, where it takes no width and is read without turning the head.
  const title = {
    text: `↑ ${chart.y.title}`,
    anchor: "start",
    fontSize: 12,
    fontWeight: "normal",
    offset: 8,
  };
  if (!chart.panels) return { data, title, width: panelWidth, height, layer: layers };
  return {
    data,
    title,
    facet: { field: "panel", type: "nominal", title: null, sort: panels, header: { labelAnchor: "start" } },
    columns,
    spacing: { row: 18, column: 22 },
    spec: { width: panelWidth, height, layer: layers },
    // Every panel has its own axis labels, so that one can be read alone.
    resolve: { axis: { x: "independent", y: "independent" } },
  };
}

/** As many names side by side as have room: a letter takes about 6 pixels, a symbol and the gap 28. */
function legendColumns(names: readonly string[], width: number): number {
  const longest = Math.max(...names.map((name) => name.length), 1);
  return Math.max(1, Math.floor(width / Math.max(110, 6.2 * longest + 28)));
}

/** A colour for each series. */
function coloursOf(series: readonly string[]): readonly string[] {
  return series.map((_, index) => palette[Math.min(index, palette.length - 1)] as string);
}

interface ScaledAxis {
  /** Ends of the scale. */
  readonly domain: readonly [number, number];
  /** For the encoding of a channel. */
  readonly encoding: Readonly<Record<string, unknown>>;
}

/** Scale and ticks of an axis of this length in pixels; dots at the ends keep a little distance to the frame. */
function axisOf(axis: ChartAxis, given: readonly number[], length: number): ScaledAxis {
  const values = given.filter((value) => Number.isFinite(value) && (!axis.log || value > 0));
  const [low, high] =
    axis.domain ?? (values.length > 0 ? [Math.min(...values), Math.max(...values)] : [1, 2]);
  return axis.log ? logAxis(axis, axis.log, low, high, length) : linearAxis(axis, low, high, length);
}

function linearAxis(axis: ChartAxis, low: number, high: number, length: number): ScaledAxis {
  const margin = 0.03 * (high - low || 1);
  const domain = [low - margin, high + margin] as const;
  // Vega thins out given ticks by a count.
  const ticks = axis.ticks
    ? { values: axis.ticks, labelOverlap: false }
    : { tickCount: Math.max(3, Math.floor(length / 50)) };
  return {
    domain,
    encoding: {
      scale: { domain, zero: false, nice: false },
      axis: { title: axis.title || null, titleLimit: length, ...ticks },
    },
  };
}

function logAxis(axis: ChartAxis, base: 2 | 10, low: number, high: number, length: number): ScaledAxis {
  const power = (value: number) => Math.log(value) / Math.log(base);
  const [first, last] = [Math.floor(power(low) + 1e-9), Math.ceil(power(high) - 1e-9)];
  const margin = 0.03 * Math.max(power(high) - power(low), 0.5);
  const domain = [base ** (power(low) - margin), base ** (power(high) + margin)] as const;
  // Where powers of 10 would be too few, 2 and 5 are named too, or 3 where labels of 28 pixels would meet.
  const isFine = base === 10 && last - first <= 3;
  const fine = length / Math.max(1, last - first) >= 3 * 28 ? [1, 2, 5] : [1, 3];
  const step = Math.max(1, Math.ceil((last - first) / Math.max(2, Math.floor(length / 30))));
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => first + i)
    .filter((exponent) => isFine || (exponent - first) % step === 0)
    .flatMap((exponent) => (isFine ? fine : [1]).map((digit) => digit * base ** exponent))
    .filter((tick) => tick >= domain[0] && tick <= domain[1]);
  const labels = isFine ? { format: "~g" } : { labelExpr: powerLabel(base) };
  return {
    domain,
    encoding: {
      scale: { type: "log", base, domain, nice: false },
      axis: {
        title: axis.title || null,
        values: axis.ticks ?? ticks,
        labelOverlap: false,
        titleLimit: length,
        ...labels,
      },
    },
  };
}

/** A Vega expression that writes a tick as a power: "2¹⁰". */
function powerLabel(base: 2 | 10): string {
  const digits = "['⁰','¹','²','³','⁴','⁵','⁶','⁷','⁸','⁹']";
  const exponent = `round(log(datum.value) / log(${base}))`;
  const size = `abs(${exponent})`;
  return `'${base}' + (${exponent} < 0 ? '⁻' : '') + (${size} >= 10 ? ${digits}[floor(${size} / 10)] : '') + ${digits}[${size} % 10]`;
}

/** A point with its 95 % interval. */
export function interval(mean: number, halfWidth: number | undefined): Pick<Point, "y" | "low" | "high"> {
  return halfWidth === undefined || !Number.isFinite(halfWidth)
    ? { y: mean }
    : { y: mean, low: mean - halfWidth, high: mean + halfWidth };
}
