/** Draws a function of two numbers from above, with arrows and trails on it. */
import { color } from "../canvas.ts";
import type { Descents, Walker } from "./descents.ts";
import { dot, estimate, type MethodName, type Pair } from "./estimates.ts";

/** Between the plane and the canvas: one scale for both axes, so that angles are true. */
export class Camera {
  readonly #scale: number;
  readonly #middle: Pair;
  readonly #half: Pair;

  constructor({ x, y }: { readonly x: Pair; readonly y: Pair }, width: number, height: number) {
    this.#scale = Math.min(width / (x[1] - x[0]), height / (y[1] - y[0]));
    this.#middle = [(x[0] + x[1]) / 2, (y[0] + y[1]) / 2];
    this.#half = [width / 2, height / 2];
  }

  toScreen([x, y]: Pair): Pair {
    return [
      this.#half[0] + (x - this.#middle[0]) * this.#scale,
      this.#half[1] - (y - this.#middle[1]) * this.#scale,
    ];
  }

  toPlane([x, y]: Pair): Pair {
    return [
      this.#middle[0] + (x - this.#half[0]) / this.#scale,
      this.#middle[1] - (y - this.#half[1]) / this.#scale,
    ];
  }
}

const bands = 14;

/** The function's height in bands that cover equal areas, from --land-low to --land-high. */
export function paintGround(
  { fn }: Descents,
  camera: Camera,
  width: number,
  height: number,
): HTMLCanvasElement {
  const [wide, high] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const values = new Float64Array(wide * high);
  const point = new Float64Array(2);
  for (let index = 0; index < values.length; index++) {
    point.set(camera.toPlane([2 * (index % wide) + 1, 2 * Math.floor(index / wide) + 1]));
    values[index] = fn.evaluate(point);
  }
  const sample = values.filter((_, index) => index % 29 === 0).sort();
  const levels = Array.from(
    { length: bands - 1 },
    (_, band) => sample[Math.floor(((band + 1) * sample.length) / bands)] ?? 0,
  );
  const [low = [], hi = []] = ["land-low", "land-high"].map((name) => color(name).split(" ").map(Number));
  const ground = document.createElement("canvas");
  ground.width = wide;
  ground.height = high;
  const picture = new ImageData(wide, high);
  values.forEach((value, index) => {
    const above = levels.findIndex((level) => value < level);
    const share = (above < 0 ? bands - 1 : above) / (bands - 1);
    const mixed = low.map((from, channel) => from + share * ((hi[channel] ?? 0) - from));
    picture.data.set([...mixed, 255], 4 * index);
  });
  ground.getContext("2d")?.putImageData(picture, 0, 0);
  return ground;
}

/** A line with a halo, which is seen on any ground; with a head, an arrow. */
function line(
  context: CanvasRenderingContext2D,
  points: readonly Pair[],
  stroke: string,
  width: number,
  hasHead = false,
): void {
  const path = new Path2D();
  // Without a beginning, the first lineTo moves.
  for (const point of points) path.lineTo(...point);
  const [from, to] = [points.at(-2), points.at(-1)];
  if (hasHead && from && to) {
    const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
    for (const side of [2.6, -2.6]) {
      path.moveTo(...to);
      path.lineTo(to[0] + 9 * Math.cos(angle + side), to[1] + 9 * Math.sin(angle + side));
    }
  }
  context.lineJoin = context.lineCap = "round";
  for (const [style, extra] of [
    [color("halo"), 2.5],
    [stroke, 0],
  ] as const) {
    context.strokeStyle = style;
    context.lineWidth = width + extra;
    context.stroke(path);
  }
}

function disc(context: CanvasRenderingContext2D, [x, y]: Pair, radius: number, fill: string): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.fillStyle = fill;
  context.fill();
  context.strokeStyle = color("halo");
  context.lineWidth = 2;
  context.stroke();
}

/** Trails of all, and at the chosen one its tangents, their span, the gradient and the estimate, both downhill. */
export function drawArrows(
  context: CanvasRenderingContext2D,
  camera: Camera,
  descents: Descents,
  chosen: Walker,
  reach: number,
): void {
  for (const walker of descents.walkers) {
    if (walker.trail.length > 1)
      line(
        context,
        walker.trail.map((point) => camera.toScreen(point)),
        color(walker.method),
        walker === chosen ? 2.5 : 1.5,
      );
    disc(context, camera.toScreen(descents.at(walker)), 4, color(walker.method));
  }
  const minimum = descents.fn.minimum(2)?.at;
  if (minimum) {
    const [x, y] = camera.toScreen([minimum[0] ?? 0, minimum[1] ?? 0]);
    line(
      context,
      [
        [x - 5, y],
        [x + 5, y],
      ],
      color("exact"),
      2,
    );
    line(
      context,
      [
        [x, y - 5],
        [x, y + 5],
      ],
      color("exact"),
      2,
    );
  }
  const at = descents.at(chosen);
  const origin = camera.toScreen(at);
  const gradient = descents.gradient(at);
  const length = Math.sqrt(dot(gradient, gradient));
  const tangents = descents.tangents();
  const to = ([x, y]: Pair, scale: number): Pair => [origin[0] + x * scale, origin[1] - y * scale];
  const [only] = tangents;
  context.setLineDash([4, 5]);
  // The span of one tangent is a line; of more, the plane.
  if (only && tangents.length === 1) line(context, [to(only, -999), to(only, 999)], color("tangent"), 1.5);
  const found = estimate(chosen.method, tangents, gradient);
  const arrow = (vector: Pair, method: MethodName, width: number) => {
    const scale = -reach / length;
    const end = to(vector, scale);
    if (length > 0) line(context, [origin, end], color(method), width, true);
    return end;
  };
  if (length > 0 && chosen.method === "projection")
    line(context, [to(gradient, -reach / length), to(found, -reach / length)], color("exact"), 1.5);
  context.setLineDash([]);
  arrow(gradient, "exact", 3);
  if (chosen.method !== "exact") arrow(found, chosen.method, 4);
  for (const tangent of tangents)
    line(context, [origin, to(tangent, reach / 1.8)], color("tangent"), 1.5, true);
  disc(context, origin, 8, color(chosen.method));
}
