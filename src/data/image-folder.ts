import { checkExamples, type Dataset, type Examples } from "./dataset.ts";
import { type DecodePicture, decodeImage, type Picture } from "./image.ts";
import { measureNormalization } from "./normalization.ts";
import { resize } from "./resize.ts";
import { defaultTestFraction, splitTest } from "./split.ts";
import type { ListedFiles } from "./store.ts";

export interface ImageFolderOptions {
  /** What decodes pictures here: `decodePicture` of `forwardgrad/node`. */
  readonly decode: DecodePicture;
  /** Size to which all images are brought. Default: the images' own, which must be one. */
  readonly size?: { readonly height: number; readonly width: number };
  /** Share set aside for testing where there is no folder for it. Default 0.2; 1 takes all. */
  readonly testFraction?: number;
  /** The classes that a trained model knows, in its order. Default: the names of the folders, sorted. */
  readonly classNames?: readonly string[];
}

interface ImageFile {
  readonly path: string;
  readonly label: number;
}

const imageEnding = /\.(png|jpe?g)$/i;
const otherImageEnding = /\.(gif|bmp|webp|tiff?|heic|avif|jp2)$/i;
const testFolders = ["test", "val", "valid", "validation"] as const;

/**
 * Reads PNG and JPEG images from folders that are named after their classes. Either the class folders lie at the top,
 * and a part is set aside for testing; or they lie in `train/` and in `test/` (or, where there is no `test/`, in `val/`,
 * `valid/` or `validation/`). Classes are numbered in the order of their names' UTF-16 code units.
 *
 * Inputs are bytes [channels, height, width], gray where all images are, otherwise RGB.
 * @throws when there are no images, a file is damaged, or sizes or classes do not agree; the message names the file.
 */
export async function imageFolder(files: ListedFiles, options: ImageFolderOptions): Promise<Dataset> {
  const images = (await files.list()).filter((path) => isImage(path, files));
  const parts = new Set(images.map((path) => path.split("/")[0] as string));
  const hasTrain = parts.has("train");
  const testName = hasTrain ? testFolders.find((name) => parts.has(name)) : undefined;
  const inTrain = hasTrain ? images.filter((path) => path.startsWith("train/")) : images;
  const classNames = options.classNames ?? classesOf(inTrain, hasTrain ? 1 : 0, files);
  const list = (paths: readonly string[], depth: number) => labelled(paths, depth, classNames, files);
  const training = list(inTrain, hasTrain ? 1 : 0);
  const testing = testName
    ? list(
        images.filter((path) => path.startsWith(`${testName}/`)),
        1,
      )
    : [];
  const pictures = await decodeAll([...training, ...testing], files, options);
  const channels = pictures.some((picture) => picture.channels === 3) ? 3 : 1;
  const all = asExamples(training, pictures.slice(0, training.length), channels);
  checkExamples(all, files.describe, classNames.length);
  const { train, test } = testName
    ? { train: all, test: asExamples(testing, pictures.slice(training.length), channels) }
    : splitTest(all, options.testFraction ?? defaultTestFraction, files.describe);
  return {
    name: "images",
    classes: classNames.length,
    classNames,
    normalization: measureNormalization(train),
    train,
    test,
  };
}

/** Hidden files and files of other kinds are passed over, but no image that cannot be read. */
function isImage(path: string, files: ListedFiles): boolean {
  if (path.split("/").some((part) => part.startsWith("."))) return false;
  if (otherImageEnding.test(path)) {
    throw new Error(
      `${path} (${files.describe}): images of this kind cannot be read, expected PNG or JPEG; convert it, or take it ` +
        "out of the folder",
    );
  }
  return imageEnding.test(path);
}

/** The class folders, which lie below `depth` others. */
function classesOf(paths: readonly string[], depth: number, files: ListedFiles): string[] {
  if (paths.length === 0) {
    throw new Error(
      `${files.describe}: no PNG or JPEG images in folders, expected one folder for each class (cats/1.png, dogs/2.png), ` +
        "by themselves or in train/ and test/; correct --data-dir",
    );
  }
  const names = new Set(paths.map((path) => classOf(path, depth, files)));
  if (names.size < 2) {
    throw new Error(
      `${files.describe}: images of the class '${[...names].join()}' alone, expected folders of at least 2 classes; ` +
        "pass the folder that holds the class folders",
    );
  }
  return [...names].sort();
}

function classOf(path: string, depth: number, files: ListedFiles): string {
  const parts = path.split("/");
  if (parts.length < depth + 2) {
    throw new Error(
      `${path} (${files.describe}): the image lies in no class folder, expected one for each class; move it into one`,
    );
  }
  return parts[depth] as string;
}

function labelled(
  paths: readonly string[],
  depth: number,
  classNames: readonly string[],
  files: ListedFiles,
): ImageFile[] {
  return paths.map((path) => {
    const name = classOf(path, depth, files);
    const label = classNames.indexOf(name);
    if (label === -1) {
      throw new Error(
        `${path} (${files.describe}): '${name}' is no class, expected one of ${classNames.join(", ")}; rename the ` +
          "folder or take it out",
      );
    }
    return { path, label };
  });
}

async function decodeAll(
  images: readonly ImageFile[],
  files: ListedFiles,
  { size, decode }: ImageFolderOptions,
): Promise<Picture[]> {
  const pictures: Picture[] = [];
  for (const { path } of images) {
    const source = `${path} (${files.describe})`;
    const bytes = await files.read(path);
    if (bytes === undefined)
      throw new Error(`${source}: the file has gone; leave the folder alone while it is read`);
    const decoded = await decodeImage(bytes, source, { decode });
    const picture = size ? resize(decoded, size.width, size.height) : decoded;
    const first = pictures[0] ?? picture;
    if (picture.width !== first.width || picture.height !== first.height) {
      throw new Error(
        `${source}: ${picture.height}×${picture.width} pixels (height×width), expected ${first.height}×${first.width} ` +
          `as in ${images[0]?.path}; bring all images to one size (--image-size ${first.height}x${first.width})`,
      );
    }
    pictures.push(picture);
  }
  return pictures;
}

/** Pixels as planes, one for each channel. */
function asExamples(images: readonly ImageFile[], pictures: readonly Picture[], channels: number): Examples {
  const { width, height } = pictures[0] ?? { width: 1, height: 1 };
  const plane = width * height;
  const inputs = new Uint8Array(pictures.length * channels * plane);
  for (const [index, picture] of pictures.entries()) {
    for (let channel = 0; channel < channels; channel++) {
      const start = (index * channels + channel) * plane;
      const from = picture.channels === 3 ? channel : 0;
      for (let pixel = 0; pixel < plane; pixel++)
        inputs[start + pixel] = picture.data[pixel * picture.channels + from] as number;
    }
  }
  return {
    count: pictures.length,
    shape: [channels, height, width],
    inputs,
    labels: Int32Array.from(images, ({ label }) => label),
  };
}
