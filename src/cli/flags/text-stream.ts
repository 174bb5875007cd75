/** A table of texts that is read row by row. */
import type { Dataset } from "../../data/dataset.ts";
import { labelledTextStream } from "../../data/node-table-rows.ts";
import { type TextStreamOptions, textStreamDataset } from "../../data/text/text-stream.ts";
import type { TextTableOptions } from "../../data/text/text-table.ts";

/** @param options `buffer` and `held` as flags give them */
export async function openTextStream(
  file: string,
  columns: TextTableOptions & { readonly label: string },
  {
    buffer,
    held,
    ...options
  }: Omit<TextStreamOptions, "buffer" | "held"> & { buffer?: number | undefined; held: unknown },
): Promise<Dataset> {
  return textStreamDataset(() => labelledTextStream(file, columns), {
    ...options,
    ...(buffer !== undefined && { buffer }),
    ...(typeof held === "number" && { held }),
  });
}
