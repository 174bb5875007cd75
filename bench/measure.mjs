// What all benches share: timing in turns, order statistics, straight lines, tables.

export const median = (values) => quantile(values, 0.5);

/** The value below which a share of the sorted values lies, between its two neighbours in proportion. */
export function quantile(values, share) {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
  return low + (high - low) * (place - Math.floor(place));
}

/** Median of a/b over the rounds: both sides of a round meet the same state of the machine. */
export const medianRatio = (a, b) => median(a.map((value, round) => value / b[round]));

/** An interval that holds the median of what the values are drawn from with a chance of about 95 %, by their ranks alone. */
export function medianInterval(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const margin = 0.98 * Math.sqrt(sorted.length);
  const low = Math.max(0, Math.floor(sorted.length / 2 - margin));
  return [sorted[low], sorted[sorted.length - 1 - low]];
}

/**
 * Runs every contestant once a round, so that a slow moment of the machine meets all of them; the order turns by one each
 * round.
 *
 * @param contestants functions by name; one that returns a number reports its own milliseconds
 * @param options rounds; warmUp, rounds that do not count; seconds, after which no further round starts, once three counted;
 *   signal, whose abort ends the run
 * @returns milliseconds by name, one a round
 */
export async function inTurns(
  contestants,
  { rounds, warmUp = 2, seconds = Number.POSITIVE_INFINITY, signal },
) {
  const names = Object.keys(contestants);
  const times = Object.fromEntries(names.map((name) => [name, []]));
  const started = performance.now();
  for (let round = 0; round < warmUp + rounds; round++) {
    if (round >= warmUp + 3 && performance.now() - started > 1000 * seconds) break;
    for (let turn = 0; turn < names.length; turn++) {
      await breathe(signal);
      const name = names[(turn + round) % names.length];
      const start = performance.now();
      const own = await contestants[name](round);
      const time = typeof own === "number" ? own : performance.now() - start;
      if (round >= warmUp) times[name].push(time);
    }
  }
  return times;
}

/** Lets signals in, which a loop over blocking calls keeps out. */
export async function breathe(signal) {
  await new Promise((resolve) => setImmediate(resolve));
  signal?.throwIfAborted();
}

/** Least squares y = intercept + slope·x, the slope's standard error, and the share of the variance explained. */
export function fitLine(xs, ys) {
  const count = xs.length;
  const [meanX, meanY] = [xs, ys].map((list) => list.reduce((sum, value) => sum + value, 0) / count);
  let [xx, xy, yy] = [0, 0, 0];
  for (const [index, x] of xs.entries()) {
    xx += (x - meanX) ** 2;
    xy += (x - meanX) * (ys[index] - meanY);
    yy += (ys[index] - meanY) ** 2;
  }
  const slope = xy / xx;
  const intercept = meanY - slope * meanX;
  const residual = Math.max(0, yy - slope * xy);
  return {
    slope,
    intercept,
    standardError: Math.sqrt(residual / Math.max(1, count - 2) / xx),
    explained: yy === 0 ? 1 : 1 - residual / yy,
  };
}

/** Rows as text: the first column to the left, numbers to the right; with --markdown as a Markdown table. */
export function table(heads, rows) {
  if (process.argv.includes("--markdown")) {
    const lines = [heads, heads.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`);
    return lines.join("\n");
  }
  const cells = [heads, ...rows].map((row) => row.map((cell) => cell ?? ""));
  const widths = heads.map((_, column) => Math.max(...cells.map((row) => String(row[column]).length)));
  return cells
    .map((row) =>
      row
        .map((cell, column) => {
          const text = String(cell);
          const isNumber = column > 0 && /^[-–\d]/.test(String(cells.at(-1)?.[column]));
          return isNumber ? text.padStart(widths[column]) : text.padEnd(widths[column]);
        })
        .join("   ")
        .trimEnd(),
    )
    .join("\n");
}

/** A number with `digits` digits that count, and no fewer before the point. */
export function short(value, digits = 3) {
  if (value === undefined || !Number.isFinite(value)) return "–";
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value) || 1)));
  return value.toFixed(Math.min(decimals, digits));
}
