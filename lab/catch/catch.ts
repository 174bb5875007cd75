/** The panel of how much k directions catch: a formula as a line, measurements as dots, and a guess before both. */
import { expectedProjectionCosine } from "forwardgrad/autodiff";
import { isWhole, settings } from "../address.ts";
import { color, drawn } from "../canvas.ts";
import { element, isStill, onPress, say } from "../elements.ts";
import { sampleCosine } from "./sample.ts";

const address = settings("catch", { n: 512, k: 16, seed: 1 }, (name, value) =>
  isWhole(value, 1, name === "k" ? 64 : name === "n" ? 1024 : 2 ** 32),
);
/** Measured at once, before anybody asks. */
const drawsAtRest = 30;

/** Sets the panel up. */
export function openCatch(): void {
  let chosen = address.read();
  /** Measured cosines of the chosen k and n. */
  let measured: number[] = [];
  /** All that was measured for this n: [k, cosine]. */
  let dots: (readonly [number, number])[] = [];
  let guess: number | undefined;
  let isGuessing = false;
  let timer: number | undefined;
  const dimension = element("catch-n", HTMLInputElement);
  const count = element("catch-k", HTMLInputElement);
  const asked = element("catch-guess", HTMLInputElement);

  const redraw = drawn(element("catch-canvas", HTMLCanvasElement), (context, width, height) => {
    const { n, k } = chosen;
    const [left, bottom, top] = [38, height - 34, 12];
    const most = Math.min(64, n);
    const x = (value: number) => left + ((width - left - 12) * value) / most;
    const y = (cosine: number) => bottom - (bottom - top) * cosine;
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = color("quiet");
    context.strokeStyle = color("rule");
    for (const cosine of [0, 0.25, 0.5, 0.75, 1]) {
      context.fillText(cosine.toFixed(2), 4, y(cosine) + 4);
      context.beginPath();
      context.moveTo(left, y(cosine));
      context.lineTo(width - 12, y(cosine));
      context.stroke();
    }
    context.textAlign = "center";
    for (let tick = 0; tick <= 4; tick++) {
      const value = Math.round((most * tick) / 4);
      context.fillText(String(value), Math.min(x(value), width - 14), bottom + 16);
    }
    context.fillText("directions k", x(most / 2), bottom + 30);
    context.textAlign = "left";
    const mark = (cosine: number, fill: string, radius: number, at = k) => {
      context.fillStyle = fill;
      context.beginPath();
      context.arc(x(at), y(cosine), radius, 0, 7);
      context.fill();
    };
    if (!isGuessing) {
      context.globalAlpha = 0.35;
      for (const [at, cosine] of dots) mark(cosine, color("projection"), 3, at);
      context.globalAlpha = 1;
      context.strokeStyle = color("exact");
      context.lineWidth = 2;
      context.beginPath();
      for (let at = 1; at <= most; at++) context.lineTo(x(at), y(expectedProjectionCosine(n, at)));
      context.stroke();
      context.lineWidth = 1;
      mark(expectedProjectionCosine(n, k), color("projection"), 6);
    }
    if (guess !== undefined) mark(guess, color("mean"), 6);
  });

  const measure = (draws: number) => {
    const { n, k, seed } = chosen;
    for (let left = draws; left > 0; left--) {
      const cosine = sampleCosine(n, k, seed, measured.length);
      measured.push(cosine);
      dots.push([k, cosine]);
    }
    show();
  };
  const show = () => {
    const { n, k } = chosen;
    dimension.value = String(Math.log2(n));
    count.value = String(k);
    say("catch-n-value", String(n));
    say("catch-k-value", String(k));
    const expected = expectedProjectionCosine(n, k);
    const mean = measured.reduce((sum, cosine) => sum + cosine, 0) / measured.length;
    const spread = Math.sqrt(
      measured.reduce((sum, cosine) => sum + (cosine - mean) ** 2, 0) / Math.max(1, measured.length - 1),
    );
    say("catch-where", `${k} of ${n}`);
    say("catch-expected", isGuessing ? "?" : expected.toFixed(3));
    say(
      "catch-measured",
      isGuessing ? "?" : `${mean.toFixed(3)} ± ${(spread / Math.sqrt(measured.length)).toFixed(3)}`,
    );
    say("catch-draws", String(measured.length));
    say("catch-ask", isGuessing ? "Reveal" : "Guess first");
    asked.disabled = !isGuessing;
    say("catch-guess-value", guess === undefined ? "–" : guess.toFixed(2));
    say(
      "catch-verdict",
      guess === undefined || isGuessing ? "" : `You said ${guess.toFixed(2)}; it is ${expected.toFixed(2)}.`,
    );
    redraw();
  };
  const choose = (change: Partial<typeof chosen>) => {
    if (change.n !== undefined && change.n !== chosen.n) dots = [];
    chosen = { ...chosen, ...change };
    chosen = { ...chosen, k: Math.min(chosen.k, chosen.n) };
    count.max = String(Math.min(64, chosen.n));
    measured = [];
    guess = undefined;
    isGuessing = false;
    address.write(chosen);
    measure(drawsAtRest);
  };
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    say("catch-live", "Measure on");
  };

  dimension.addEventListener("input", () => choose({ n: 2 ** Number(dimension.value) }));
  count.addEventListener("input", () => choose({ k: Number(count.value) }));
  asked.addEventListener("input", () => {
    guess = Number(asked.value);
    show();
  });
  onPress("catch-ask", () => {
    if (isGuessing) isGuessing = false;
    else {
      stop();
      // Another question each time, from the seed.
      const seed = chosen.seed + 1;
      const n = 2 ** (2 + ((seed * 5) % 9));
      choose({ n, k: 1 + ((seed * 7) % Math.min(n, 64)), seed });
      isGuessing = true;
      guess = 0.5;
      asked.value = "0.5";
    }
    show();
    if (isGuessing) asked.focus();
  });
  onPress("catch-live", () => {
    if (timer !== undefined) return stop();
    if (isStill()) return measure(drawsAtRest);
    timer = window.setInterval(() => measure(1), 60);
    say("catch-live", "Pause");
  });
  choose({});
}
