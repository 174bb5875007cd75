/** Loss and cosine over the steps, live, with the recorded run behind. */
import UPlot from "uplot";
import { color } from "../canvas.ts";

/** One run's curves, a point for each so many steps. */
export interface Curves {
  readonly steps: number[];
  readonly losses: number[];
  readonly cosines: (number | null)[];
}

/** Draws curves into an element, which they fill. @returns draws them anew */
export function openChart(target: HTMLElement, recorded: Curves): (own: Curves) => void {
  let chart: UPlot | undefined;
  let last: Curves = { steps: [], losses: [], cosines: [] };
  const data = (own: Curves): UPlot.AlignedData => {
    const steps = recorded.steps.length > own.steps.length ? recorded.steps : own.steps;
    const fill = (values: readonly (number | null)[]) => steps.map((_, index) => values[index] ?? null);
    return [[...steps], fill(recorded.losses), fill(recorded.cosines), fill(own.losses), fill(own.cosines)];
  };
  const open = () => {
    chart?.destroy();
    const line = (label: string, stroke: string, scale: string, width: number): UPlot.Series => ({
      ...{ label, stroke: color(stroke), scale, width },
      points: { show: false },
      ...(width === 1 && { dash: [4, 4] }),
    });
    const axis = {
      stroke: color("quiet"),
      grid: { stroke: color("rule"), width: 1 },
      ticks: { show: false },
    };
    const options: UPlot.Options = {
      ...{ width: target.clientWidth, height: target.clientHeight },
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false }, loss: { range: [0, 2.5] }, cosine: { range: [0, 1] } },
      axes: [
        { ...axis, label: "steps", labelSize: 18, size: 34 },
        { ...axis, scale: "loss", size: 38 },
        { ...axis, scale: "cosine", side: 1, size: 38, grid: { show: false } },
      ],
      series: [
        {},
        line("recorded loss", "quiet", "loss", 1),
        line("recorded cosine", "quiet", "cosine", 1),
        line("loss", "mean", "loss", 2.5),
        line("cosine", "projection", "cosine", 2.5),
      ],
    };
    chart = new UPlot(options, data(last), target);
  };
  new ResizeObserver(() =>
    chart?.setSize({ width: target.clientWidth, height: target.clientHeight }),
  ).observe(target);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", open);
  open();
  return (own) => {
    last = own;
    chart?.setData(data(own));
  };
}
