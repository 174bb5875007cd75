import type { Dataset } from "../data/dataset.ts";
import { downloadStore } from "../data/download.ts";
import { datasetNamed } from "../data/list.ts";
import { cacheDirectory, folderCache, folderStore } from "../data/node-store.ts";

export interface DatasetChoice {
  readonly data: string;
  readonly dataDir?: string;
}

/** Opens a dataset by name: from a folder, from the cache, or by download. */
export async function openDataset(choice: DatasetChoice): Promise<Dataset> {
  const entry = datasetNamed(choice.data);
  const cached = entry.files && {
    files: entry.files,
    cache: folderCache(`${cacheDirectory()}/${entry.name}`),
    fetch,
    report: (line: string) => console.error(line),
  };
  const store = choice.dataDir ? folderStore(choice.dataDir) : cached && downloadStore(cached);
  // Embedded data has a fixed seed: runs with different seeds must be comparable, and `eval` must see the same test set.
  return entry.load({ store, seed: 0 });
}
