/** A place in the plane. */
export type Coordinates = readonly [x: number, y: number];

/** A function on an even grid over a rectangle, ends included. */
export interface Field {
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
  /** Points along each axis. */
  readonly size: number;
  /** Row-major [size, size]: values[row · size + column] at column along x and row along y. */
  readonly values: Float64Array;
}

/** Samples a function. */
export function sampleField(
  x: Field["x"],
  y: Field["y"],
  size: number,
  value: (x: number, y: number) => number,
): Field {
  const along = ([low, high]: Field["x"], index: number) => low + ((high - low) * index) / (size - 1);
  const values = new Float64Array(size * size);
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++)
      values[row * size + column] = value(along(x, column), along(y, row));
  return { x, y, size, values };
}

/** Levels that cut the field into parts of equal area, so that flat and steep functions both show lines. */
export function levelsOf({ values }: Field, count: number): readonly number[] {
  const sorted = Float64Array.from(values).filter(Number.isFinite).sort();
  return Array.from(
    { length: count },
    (_, i) => sorted[Math.floor(((i + 0.5) / count) * sorted.length)] as number,
  );
}

/**
 * The lines on which a field has this value, by marching squares: in each cell of the grid the edges whose ends lie on
 * both sides are crossed, where straight lines between the grid's points say, and crossings of neighbouring cells meet.
 */
export function contourLines(field: Field, level: number): readonly (readonly Coordinates[])[] {
  const links = new Map<number, number[]>();
  const link = (a: number, b: number) => {
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const)
      links.set(from, [...(links.get(from) ?? []), to]);
  };
  for (let row = 0; row + 1 < field.size; row++)
    for (let column = 0; column + 1 < field.size; column++) linkCell(field, level, row, column, link);
  const lines: Coordinates[][] = [];
  // Lines that end at the frame begin there; the rest are closed.
  const starts = [...links.keys()].sort((a, b) => (links.get(a)?.length ?? 0) - (links.get(b)?.length ?? 0));
  for (const start of starts) {
    while ((links.get(start)?.length ?? 0) > 0) {
      const line = [start];
      for (let here = start; ; ) {
        const next = links.get(here)?.pop();
        if (next === undefined) break;
        const back = links.get(next) ?? [];
        back.splice(back.indexOf(here), 1);
        line.push(next);
        here = next;
      }
      lines.push(line.map((edge) => crossing(field, level, edge)));
    }
  }
  return lines;
}

/** Edges are numbered 2 · (their first point) + (0 along x, 1 along y). */
function linkCell(
  { size, values }: Field,
  level: number,
  row: number,
  column: number,
  link: (a: number, b: number) => void,
): void {
  const corner = row * size + column;
  const [bottom, left, top, right] = [2 * corner, 2 * corner + 1, 2 * (corner + size), 2 * (corner + 1) + 1];
  const isAbove = (index: number) => (values[index] as number) > level;
  const corners = [corner, corner + 1, corner + size + 1, corner + size];
  const sides = [bottom, right, top, left];
  const crossed = sides.filter(
    (_, i) => isAbove(corners[i] as number) !== isAbove(corners[(i + 1) % 4] as number),
  );
  const [a, b, c, d] = crossed;
  if (a === undefined || b === undefined) return;
  if (c === undefined || d === undefined) {
    link(a, b);
    return;
  }
  // Opposite corners are alike: the middle of the cell tells which of them are joined.
  const middle = corners.reduce((sum, index) => sum + (values[index] as number), 0) / 4;
  if (middle > level === isAbove(corner)) {
    link(bottom, right);
    link(top, left);
  } else {
    link(bottom, left);
    link(right, top);
  }
}

function crossing({ x, y, size, values }: Field, level: number, edge: number): Coordinates {
  const first = Math.floor(edge / 2);
  const isUpright = edge % 2 === 1;
  const [from, to] = [values[first] as number, values[first + (isUpright ? size : 1)] as number];
  const part = (level - from) / (to - from);
  const [column, row] = [first % size, Math.floor(first / size)];
  const scale = ([low, high]: Field["x"], index: number) => low + ((high - low) * index) / (size - 1);
  return [scale(x, column + (isUpright ? 0 : part)), scale(y, row + (isUpright ? part : 0))];
}
