/** Loss, and a share from 0 to 1, over the steps, live, with an earlier run behind. */
import UPlot from "uplot";
import { color } from "./canvas.ts";

/** One run's curves, a point for each so many steps. */
export interface Curves {
  readonly steps: number[];
  readonly losses: (number | null)[];
  /** Cosine or accuracy; null where none was measured. */
  readonly shares: (number | null)[];
}

/** No curves yet. */
export const noCurves = (): Curves => ({ steps: [], losses: [], shares: [] });

/** What a chart's axes say. */
export interface ChartNames {
  readonly share: string;
  /** The largest loss that is shown. Default: the largest there is. */
  readonly mostLoss?: number;
}

/** Draws curves into an element, which they fill. @returns draws them anew, with others behind */
export function openCurves(
  target: HTMLElement,
  { share, mostLoss }: ChartNames,
): (own: Curves, behind: Curves) => void {
  let chart: UPlot | undefined;
  let data: UPlot.AlignedData = [[], [], [], [], []];
  const open = () => {
    chart?.destroy();
    const line = (label: string, stroke: string, scale: string, width: number): UPlot.Series => ({
      ...{ label, stroke: color(stroke), scale, width, spanGaps: true },
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
      scales: {
        x: { time: false },
        loss: { range: (_, __, most) => [0, mostLoss ?? (most > 0 ? 1.05 * most : 1)] },
        share: { range: [0, 1] },
      },
      axes: [
        { ...axis, label: "steps", labelSize: 18, size: 34 },
        { ...axis, scale: "loss", size: 44 },
        { ...axis, scale: "share", side: 1, size: 38, grid: { show: false } },
      ],
      series: [
        {},
        line("earlier loss", "quiet", "loss", 1),
        line(`earlier ${share}`, "quiet", "share", 1),
        line("loss", "mean", "loss", 2.5),
        line(share, "projection", "share", 2.5),
      ],
    };
    chart = new UPlot(options, data, target);
  };
  new ResizeObserver(() =>
    chart?.setSize({ width: target.clientWidth, height: target.clientHeight }),
  ).observe(target);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", open);
  open();
  return (own, behind) => {
    const steps = [...new Set([...behind.steps, ...own.steps])].sort((a, b) => a - b);
    const at = ({ steps: known }: Curves, values: readonly (number | null)[]) => {
      const byStep = new Map(known.map((step, index) => [step, values[index] ?? null]));
      return steps.map((step) => byStep.get(step) ?? null);
    };
    data = [
      steps,
      at(behind, behind.losses),
      at(behind, behind.shares),
      at(own, own.losses),
      at(own, own.shares),
    ];
    chart?.setData(data);
  };
}

/** Collects steps, and draws them at most once a frame. */
export class LiveCurves {
  readonly curves: Curves;
  readonly #draw: () => void;
  /** Steps of a point. */
  every: number;
  #sum = 0;
  #count = 0;
  #isAsked = false;

  constructor(curves: Curves, every: number, draw: () => void) {
    this.curves = curves;
    this.every = every;
    this.#draw = draw;
  }

  /** One step, with a share where one was measured. */
  take(step: number, loss: number, share: number | undefined): void {
    this.#sum += loss;
    this.#count++;
    if (step % this.every !== 0) return;
    this.#add(step, this.#sum / this.#count, share ?? null);
    this.#sum = 0;
    this.#count = 0;
  }

  /** A share that was measured after a step. */
  measured(step: number, share: number): void {
    const { steps, shares } = this.curves;
    if (steps.at(-1) === step) shares[shares.length - 1] = share;
    else this.#add(step, null, share);
    this.#ask();
  }

  #add(step: number, loss: number | null, share: number | null): void {
    this.curves.steps.push(step);
    this.curves.losses.push(loss);
    this.curves.shares.push(share);
    this.#ask();
  }

  #ask(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    requestAnimationFrame(() => {
      this.#isAsked = false;
      this.#draw();
    });
  }
}
