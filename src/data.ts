/**
 * Datasets, and readers of files.
 *
 * @module forwardgrad/data
 */

export { epochOrder, splitValidation } from "./data/batches.ts";
export { checkExamples, type Dataset, type DatasetEntry, type Examples } from "./data/dataset.ts";
export { type DownloadOptions, downloadStore, type FetchLike } from "./data/download.ts";
export type { ExampleStream, StreamedExample } from "./data/example-stream.ts";
export type { Column } from "./data/files/columns.ts";
export { gunzip } from "./data/files/gzip.ts";
export { parseIdx } from "./data/files/idx.ts";
export { type MatArray, parseMat } from "./data/files/mat.ts";
export { type NpyArray, parseNpy } from "./data/files/npy.ts";
export { type NpzOptions, npzDataset, npzInputs, readNpz } from "./data/files/npz.ts";
export {
  type TableInputOptions,
  type TableOptions,
  tableColumns,
  tableDataset,
  tableInputs,
} from "./data/files/table.ts";
export { measureNormalization } from "./data/normalization.ts";
export { type Augmentation, formatAugmentation, parseAugmentation } from "./data/pictures/augment.ts";
export {
  type DecodeImageOptions,
  type DecodePicture,
  decodeImage,
  type Picture,
} from "./data/pictures/image.ts";
export {
  type ImageFolderOptions,
  imageFolder,
  type PictureOptions,
  type PicturePart,
  pictureInputs,
} from "./data/pictures/image-folder.ts";
export type { DecodePictureOptions } from "./data/pictures/picture.ts";
export { readBatch } from "./data/read-batch.ts";
export { cifar10, parseCifar10 } from "./data/sets/cifar10.ts";
export type { GlyphOptions } from "./data/sets/glyphs.ts";
export { datasetNamed, datasets } from "./data/sets/list.ts";
export { mnist } from "./data/sets/mnist.ts";
export { svhn } from "./data/sets/svhn.ts";
export { splitTest } from "./data/split.ts";
export type { FileCache, FileStore, ListedFiles, RemoteFiles, SourceFile } from "./data/store.ts";
export { type ConllColumns, conllSentences, type LabelledWords } from "./data/text/conll.ts";
export {
  encodeTexts,
  openTokenizer,
  type TextEncoding,
  type TextRow,
  type TextTokenizer,
} from "./data/text/encode-texts.ts";
export { type PairDatasetOptions, pairDataset, type TextPair } from "./data/text/pair-dataset.ts";
export { type LabelledText, type TextDatasetOptions, textDataset } from "./data/text/text-dataset.ts";
export { type TextStreamOptions, textStreamDataset } from "./data/text/text-stream.ts";
export {
  labelledTexts,
  type TextColumns,
  type TextTableOptions,
  textPairs,
  textRows,
} from "./data/text/text-table.ts";
export {
  type NextTokenOptions,
  nextTokenDataset,
  type TokenDatasetOptions,
  tokenDataset,
} from "./data/text/token-dataset.ts";
export { zippedFiles } from "./data/zipped-files.ts";
