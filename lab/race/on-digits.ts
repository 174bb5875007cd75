/** The race on digits: four networks learn the same ones in a worker of this page, one after the other, each at its default rate. */
import { every } from "../digits/counts.ts";
import { element, onPress, say } from "../elements.ts";
import { type Line, openLines } from "../lines.ts";
import recorded from "./recorded.json";

/** How the race is shown and run. */
export interface Course {
  /** Directions a step, and of the recorded race 16. */
  readonly k: number;
  /** Whether forward passes are counted, or steps. */
  readonly isByCost: boolean;
}

/** Forward passes of an exact gradient: there, and back at about twice that. */
export const passesOfExact = 3;

const names = ["exact", "activations", "alone", "weights"] as const;
/** Who races on digits. */
export type Name = (typeof names)[number];

const lines: Readonly<Record<Name, Omit<Line, "points">>> = {
  exact: { color: "exact" },
  activations: { color: "projection" },
  alone: { color: "mean" },
  weights: { color: "sum", isDashed: true },
};

/** What one has done so far. */
interface Progress {
  /** Means of ten steps each. */
  readonly losses: readonly number[];
  /** Share of others' digits that it reads. */
  readonly read?: number;
}

/** @returns shows the race anew */
export function openDigitsRace(course: () => Course): () => void {
  let shown: Partial<Record<Name, Progress>> = recorded;
  let k = 16;
  let stop: AbortController | undefined;
  const passes = (name: Name) => (name === "exact" ? passesOfExact : 1 + k);
  const pointsOf = (name: Name) => {
    const losses = shown[name]?.losses ?? [];
    const { isByCost } = course();
    const at = (index: number) => every * (index + 1) * (isByCost ? passes(name) : 1);
    const points = losses.map((loss, index) => [at(index), loss] as const);
    // At equal cost all end where the exact gradient does, which takes fewest passes.
    return points.filter(
      ([x]) => !isByCost || x <= passesOfExact * every * (recorded.exact.losses.length + 0.5),
    );
  };
  const redraw = openLines("race-digits-canvas", () => ({
    lines: names.map((name) => ({ ...lines[name], points: pointsOf(name) })),
    x: course().isByCost ? "forward passes" : "steps",
  }));
  const show = () => {
    for (const name of names) {
      const points = pointsOf(name);
      const row = element(`race-digits-${name}`, HTMLTableRowElement);
      const read = shown[name]?.read;
      const isWhole = points.length === shown[name]?.losses.length;
      const words = [
        String(every * points.length),
        points.at(-1)?.[1].toFixed(2) ?? "…",
        // What was read at the end says nothing of an earlier moment.
        read === undefined || !isWhole ? "…" : `${(100 * read).toFixed(1)} %`,
      ];
      for (const [index, text] of words.entries()) {
        const cell = row.cells[index + 1];
        if (cell) cell.textContent = text;
      }
    }
    redraw();
  };
  const run = async () => {
    stop = new AbortController();
    say("race-digits-run", "Stop");
    ({ k } = course());
    shown = {};
    show();
    const { runOnDigits } = await import("./run-on-digits.ts");
    for (const name of names) {
      if (stop.signal.aborted) break;
      await runOnDigits(name, k, stop.signal, {
        tell: (words) => say("race-digits-state", words),
        losses: (losses) => {
          shown = { ...shown, [name]: { losses } };
          show();
        },
        read: (read) => {
          shown = { ...shown, [name]: { losses: shown[name]?.losses ?? [], read } };
          show();
        },
      });
    }
    say("race-digits-state", stop.signal.aborted ? "stopped" : `your race, with ${k} directions`);
  };
  onPress("race-digits-run", () => {
    if (stop) {
      stop.abort();
      return;
    }
    void run()
      .catch((error: unknown) =>
        say("race-digits-state", error instanceof Error ? error.message : String(error)),
      )
      .finally(() => {
        stop = undefined;
        say("race-digits-run", "Race again");
      });
  });
  show();
  return show;
}
