/** Side of the square canvas, in pixels. */
export const CANVAS = 28;

/** How many straight pieces stand for one piece of a curve. */
const PIECES = 5;

/** The pen: all lengths in pixels. */
export interface Pen {
  /** From the middle of the line to where ink is at half strength. */
  readonly radius: number;
  /** Width of the edge over which ink fades from full to none. */
  readonly edge: number;
  /** Ink at full strength, in [0,1]. */
  readonly intensity: number;
}

/**
 * A canvas that strokes are drawn on. It holds, for every pixel, the squared distance from the pixel's centre
 * to the nearest stroke, as far as the pen reaches; strokes that cross do not add up.
 */
export interface Canvas {
  readonly squaredDistances: Float64Array;
}

export function newCanvas(): Canvas {
  return { squaredDistances: new Float64Array(CANVAS * CANVAS) };
}

export function clearCanvas(canvas: Canvas): void {
  canvas.squaredDistances.fill(Number.POSITIVE_INFINITY);
}

/**
 * Draws a clamped quadratic B-spline: it begins at the first control point, ends at the last, and passes
 * through the middles between the others.
 * @param points x, y, x, y, … in pixels, at least two points.
 * @param reach how far from the line pixels matter, in pixels.
 */
export function drawStroke(canvas: Canvas, points: Float64Array, reach: number): void {
  let startX = points[0] as number;
  let startY = points[1] as number;
  if (points.length === 4) {
    drawSegment(canvas, startX, startY, points[2] as number, points[3] as number, reach);
    return;
  }
  for (let i = 2; i + 2 < points.length; i += 2) {
    const controlX = points[i] as number;
    const controlY = points[i + 1] as number;
    const nextX = points[i + 2] as number;
    const nextY = points[i + 3] as number;
    const last = i + 4 >= points.length;
    const endX = last ? nextX : (controlX + nextX) / 2;
    const endY = last ? nextY : (controlY + nextY) / 2;
    let fromX = startX;
    let fromY = startY;
    for (let piece = 1; piece <= PIECES; piece++) {
      const t = piece / PIECES;
      const toX = (1 - t) * (1 - t) * startX + 2 * t * (1 - t) * controlX + t * t * endX;
      const toY = (1 - t) * (1 - t) * startY + 2 * t * (1 - t) * controlY + t * t * endY;
      drawSegment(canvas, fromX, fromY, toX, toY, reach);
      fromX = toX;
      fromY = toY;
    }
    startX = endX;
    startY = endY;
  }
}

/** Lowers the squared distances of the pixels within `reach` of the segment from a to b. */
function drawSegment(
  { squaredDistances }: Canvas,
  ax: number,
  ay: number,
  bx: number,
  by: number,
  reach: number,
): void {
  const left = Math.max(0, Math.ceil(Math.min(ax, bx) - reach));
  const right = Math.min(CANVAS - 1, Math.floor(Math.max(ax, bx) + reach));
  const top = Math.max(0, Math.ceil(Math.min(ay, by) - reach));
  const bottom = Math.min(CANVAS - 1, Math.floor(Math.max(ay, by) + reach));
  const dx = bx - ax;
  const dy = by - ay;
  const squaredLength = dx * dx + dy * dy;
  const inverse = squaredLength > 0 ? 1 / squaredLength : 0;
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const along = ((x - ax) * dx + (y - ay) * dy) * inverse;
      const t = Math.max(0, Math.min(1, along));
      const offX = x - ax - t * dx;
      const offY = y - ay - t * dy;
      const squared = offX * offX + offY * offY;
      const pixel = y * CANVAS + x;
      if (squared < (squaredDistances[pixel] as number)) squaredDistances[pixel] = squared;
    }
  }
}

/** How far from the middle of a line the pen leaves ink, in pixels. */
export function penReach(pen: Pen): number {
  return pen.radius + pen.edge / 2;
}

/** The ink of a pixel, in [0, intensity]. */
export function inkAt(squaredDistance: number, pen: Pen): number {
  const reach = penReach(pen);
  if (squaredDistance >= reach * reach) return 0;
  return pen.intensity * Math.min(1, (reach - Math.sqrt(squaredDistance)) / pen.edge);
}
