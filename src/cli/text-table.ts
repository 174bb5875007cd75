/** Tables for a terminal. */

/** The rows with their columns side by side, cells at the right; those of the first column perhaps at the left. */
export function textTable(
  rows: readonly (readonly string[])[],
  { firstAtLeft = false }: { readonly firstAtLeft?: boolean } = {},
): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return firstAtLeft && column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  "),
  );
}
