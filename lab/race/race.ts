/** The panel of the race: gradients of several kinds descend one function, each at the rate that a search found best for it. */
import { type Descent, functionLearningRate, functions, startDescent } from "forwardgrad/studies";
import { isWhole, settings } from "../address.ts";
import { element, isStill, onPress, say } from "../elements.ts";
import { openLines, tickWords } from "../lines.ts";
import { openDigitsRace, passesOfExact } from "./on-digits.ts";

const names = ["styblinski-tang", "rosenbrock", "sphere"] as const;
type Name = (typeof names)[number];
const counts = [2, 4, 16];

const address = settings<{ f: string; n: number; k: number; by: string; steps: number }>(
  "race",
  { f: "styblinski-tang", n: 64, k: 16, by: "steps", steps: 300 },
  (name, value) =>
    name === "f"
      ? names.includes(value as Name)
      : name === "by"
        ? value === "steps" || value === "cost"
        : name === "n"
          ? isWhole(value, 2, 1024) && Number.isInteger(Math.log2(Number(value)))
          : name === "k"
            ? counts.includes(Number(value))
            : isWhole(value, 10, 5000),
);

/** One who races. */
interface Runner {
  readonly id: string;
  readonly color: string;
  readonly rate: number;
  /** Forward passes that a step costs. */
  readonly passes: number;
  readonly descent: Descent;
  /** f − min f after each step. */
  readonly heights: number[];
}

let chosen = address.read();
let runners: readonly Runner[] = [];
/** How far they are shown, as a share of the race. */
let shown = 1;
let isPlaying = false;
const fields = {
  f: element("race-f", HTMLSelectElement),
  n: element("race-n", HTMLInputElement),
  k: element("race-k", HTMLSelectElement),
  by: element("race-by", HTMLSelectElement),
};

/** What is spent at the end: steps of each, or passes. */
const budget = () => (chosen.by === "steps" ? chosen.steps : chosen.steps * (1 + chosen.k));
const spent = ({ passes }: Runner, steps: number) => (chosen.by === "steps" ? steps : steps * passes);
const stepsOf = (runner: Runner) =>
  chosen.by === "steps" ? chosen.steps : Math.floor(budget() / runner.passes);

const redraw = openLines("race-canvas", () => ({
  lines: runners.map((runner) => ({
    color: runner.color,
    isDashed: runner.id === "one",
    points: thinned(runner.heights.slice(0, Math.ceil(shown * stepsOf(runner)) + 1)).map(
      ([step, height]) => [spent(runner, step), height] as const,
    ),
  })),
  x: chosen.by === "steps" ? "steps" : "forward passes",
  isLogarithmic: true,
}));

const showDigits = openDigitsRace(() => ({ k: chosen.k, isByCost: chosen.by === "cost" }));

/** At most 300 points of each. */
function thinned(heights: readonly number[]): [number, number][] {
  const every = Math.max(1, Math.floor(heights.length / 300));
  return heights.flatMap((height, step): [number, number][] =>
    step % every === 0 || step === heights.length - 1 ? [[step, height]] : [],
  );
}

function enter(id: string, color: string, gradient: "exact" | "projection" | "mean", k: number): Runner {
  const fn = functions[chosen.f as Name];
  const method = { gradient, k };
  const rate = functionLearningRate(chosen.f, chosen.n, method);
  const runner = { id, color, rate, passes: gradient === "exact" ? passesOfExact : 1 + k };
  const options = { fn, n: chosen.n, method, learningRate: rate, seed: 1, patience: 0 };
  const descent = startDescent({ ...options, steps: Number.POSITIVE_INFINITY });
  return { ...runner, descent, heights: [] };
}

/** Runs them all to the end, a few milliseconds at a time. */
async function race(): Promise<void> {
  const { k } = chosen;
  const mine = [
    enter("exact", "exact", "exact", 0),
    enter("projection", "projection", "projection", k),
    enter("mean", "mean", "mean", k),
    enter("one", "sum", "mean", 1),
  ];
  runners = mine;
  const least = functions[chosen.f as Name].minimum(chosen.n)?.value ?? 0;
  let since = performance.now();
  for (const runner of mine) {
    const { descent, heights } = runner;
    const height = () => Math.max(descent.value - least, 0);
    heights.push(height());
    for (let step = stepsOf(runner); step > 0 && descent.advance(1); step--) {
      heights.push(height());
      if (performance.now() - since < 8) continue;
      await new Promise((later) => setTimeout(later));
      // Another race began.
      if (runners !== mine) return;
      since = performance.now();
    }
  }
  show();
}

function show(): void {
  const { title, formula } = functions[chosen.f as Name];
  fields.f.value = chosen.f;
  fields.n.value = String(Math.log2(chosen.n));
  fields.k.value = String(chosen.k);
  fields.by.value = chosen.by;
  say("race-n-value", String(chosen.n));
  say("race-where", `${title} in ${chosen.n} dimensions`);
  say("race-formula", formula);
  const end =
    chosen.by === "steps" ? `${chosen.steps} steps` : `${budget().toLocaleString("en")} forward passes`;
  say("race-spent", end);
  for (const runner of runners) {
    const { id, rate, heights, descent } = runner;
    const at = Math.min(heights.length - 1, Math.ceil(shown * stepsOf(runner)));
    const height = descent.ending === "diverged" ? "diverged" : tickWords(heights[at] ?? Number.NaN);
    const row = element(`race-${id}`, HTMLTableRowElement);
    for (const [index, words] of [tickWords(rate), String(at), height].entries()) {
      const cell = row.cells[index + 1];
      if (cell) cell.textContent = words;
    }
    if (id === "exact" || id === "projection") say(`race-${id}-height`, height);
  }
  showDigits();
  say("race-play", isPlaying ? "Pause" : "Play");
  redraw();
}

function choose(change: Partial<typeof chosen>): void {
  chosen = { ...chosen, ...change };
  address.write(chosen);
  isPlaying = false;
  shown = 1;
  void race();
}

function play(): void {
  if (isPlaying) {
    isPlaying = false;
    show();
    return;
  }
  // Without motion, a quarter of the way with each press.
  if (isStill()) {
    shown = shown >= 1 ? 0.25 : Math.min(1, shown + 0.25);
    show();
    return;
  }
  isPlaying = true;
  if (shown >= 1) shown = 0;
  let last = performance.now();
  const frame = (now: number) => {
    if (!isPlaying) return;
    shown = Math.min(1, shown + (now - last) / 5000);
    last = now;
    if (shown >= 1) isPlaying = false;
    show();
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}

fields.f.replaceChildren(...names.map((name) => new Option(functions[name].title, name)));
fields.f.addEventListener("change", () => choose({ f: fields.f.value }));
fields.n.addEventListener("input", () => {
  const n = 2 ** Number(fields.n.value);
  choose({ n, k: Math.max(...counts.filter((k) => k <= Math.min(n, chosen.k))) });
});
fields.k.addEventListener("change", () => {
  const k = Number(fields.k.value);
  choose({ k, n: Math.max(k, chosen.n) });
});
fields.by.addEventListener("change", () => choose({ by: fields.by.value }));
onPress("race-play", play);
chosen = { ...chosen, k: chosen.k <= chosen.n ? chosen.k : 2 };
void race();
element("race", HTMLElement).dataset.open = "";
