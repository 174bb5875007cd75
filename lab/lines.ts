/** Lines over a common axis, on a canvas: as many as there are, each with a color and a name. */
import { color, drawn } from "./canvas.ts";
import { element } from "./elements.ts";

/** One line. */
export interface Line {
  /** A variable of the page's style. */
  readonly color: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly isDashed?: boolean;
}

/** What is drawn. */
export interface Lines {
  readonly lines: readonly Line[];
  /** "steps" */
  readonly x: string;
  /** Powers of ten. Default: as the numbers are. */
  readonly isLogarithmic?: boolean;
}

/** A number on an axis. */
export const tickWords = (value: number) =>
  value === 0
    ? "0"
    : Math.abs(value) >= 1e4 || Math.abs(value) < 1e-3
      ? value.toExponential(0)
      : String(Number(value.toPrecision(3)));

/** The next number above of which four parts are round. */
function roundedUp(most: number): number {
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return power * ([1, 2, 4, 6, 8, 10].find((each) => each * power >= most) ?? 10);
}

/** Draws what `read` gives, now and when size or colors change. @returns draws anew */
export function openLines(id: string, read: () => Lines): () => void {
  return drawn(element(id, HTMLCanvasElement), (context, width, height) => {
    const { lines, x: xName, isLogarithmic } = read();
    const scale = (value: number) => (isLogarithmic ? Math.log10(Math.max(value, 1e-6)) : value);
    const all = lines.flatMap(({ points }) => points).filter(([, y]) => Number.isFinite(y));
    if (all.length === 0) return;
    const mostX = Math.max(1, ...all.map(([x]) => x));
    const values = all.map(([, y]) => scale(y));
    const [least, most] = [isLogarithmic ? Math.floor(Math.min(...values)) : 0, Math.max(...values)];
    const top = isLogarithmic ? Math.ceil(most) : roundedUp(most);
    const span = top - least || 1;
    const [left, bottom, right] = [52, height - 36, width - 12];
    const atX = (x: number) => left + ((right - left) * x) / mostX;
    const atY = (y: number) => bottom - ((bottom - 10) * (scale(y) - least)) / span;
    context.font = "12px system-ui, sans-serif";
    context.strokeStyle = color("rule");
    context.fillStyle = color("quiet");
    // Whole powers of ten, as far from one another as the next.
    const every = isLogarithmic ? Math.ceil(span / 6) : span / 4;
    for (let tick = 0; tick * every <= span; tick++) {
      const level = least + tick * every;
      const y = bottom - ((bottom - 10) * (level - least)) / span;
      context.fillText(tickWords(isLogarithmic ? 10 ** level : level), 2, y + 4);
      context.beginPath();
      context.moveTo(left, y);
      context.lineTo(right, y);
      context.stroke();
    }
    context.textAlign = "center";
    for (let tick = 0; tick <= 4; tick++) {
      const x = (mostX * tick) / 4;
      context.fillText(tickWords(Math.round(x)), Math.min(atX(x), width - 20), bottom + 16);
    }
    context.fillText(xName, (left + right) / 2, bottom + 31);
    context.textAlign = "left";
    context.lineWidth = 2.5;
    for (const { color: name, points, isDashed } of lines) {
      context.strokeStyle = color(name);
      context.setLineDash(isDashed ? [5, 4] : []);
      context.beginPath();
      for (const [x, y] of points) if (Number.isFinite(y)) context.lineTo(atX(x), atY(y));
      context.stroke();
    }
    context.setLineDash([]);
    context.lineWidth = 1;
  });
}
