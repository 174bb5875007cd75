/** Folders of pictures as examples, with classes or without. */
import { DataError } from "../../errors/errors.ts";
import { option, words } from "../../errors/words.ts";
import type { Limits } from "../../limits/limits.ts";
import { checkExamples, type Dataset, type Examples } from "../dataset.ts";
import { measureNormalization } from "../normalization.ts";
import { defaultTestFraction, splitTest } from "../split.ts";
import type { ListedFiles } from "../store.ts";
import { type DecodePicture, decodeImage } from "./image.ts";
import type { Picture } from "./picture.ts";
import { resize } from "./resize.ts";

/** How a folder of pictures becomes examples. */
export interface ImageFolderOptions {
  /** What decodes pictures here: `decodePicture` of `forwardgrad/node`. */
  readonly decode: DecodePicture;
  /** Size to which all images are brought. Default: the images' own, which must be one. */
  readonly size?: { readonly height: number; readonly width: number };
  /** 3: gray images become RGB as well, for a model that takes RGB. Default: gray where all images are, otherwise RGB. */
  readonly channels?: 3;
  /** A folder of its own to validate on, which holds the class folders. Default: none. */
  readonly validation?: ListedFiles;
  /** Share set aside for testing where there is no folder for it. Default 0.2; 1 takes all. */
  readonly testFraction?: number;
  /** The classes that a trained model knows, in its order. Default: the names of the folders, sorted. */
  readonly classNames?: readonly string[];
  /** Leaves pictures as they are stored, whatever EXIF says about how the camera was held. */
  readonly ignoreOrientation?: boolean;
  /** What the files may ask for. */
  readonly limits?: Partial<Limits>;
}

interface ImageFile {
  readonly path: string;
  readonly label: number;
}

const imageEnding = /\.(png|apng|jpe?g|jpe|jfif|pjpe?g)$/i;
const otherImageEnding = /\.(gif|bmp|webp|tiff?|heic|heif|avif|jp2|jxl)$/i;

/** Names of folders that hold a part of the examples, as `partName` writes them. */
const trainFolders: readonly string[] = ["train", "training"];
/** The first of them that is there is taken for testing. */
const testFolders: readonly string[] = [
  ...["test", "testing"],
  ...["val", "valid", "validation", "eval", "evaluation", "dev"],
];

/**
 * Reads PNG and JPEG images from folders that are named after their classes. Either the class folders lie at the top,
 * and a part is set aside for testing; or they lie in `train/` and in `test/` (or, where there is no `test/`, in `val/`,
 * `validation/`, `eval/`, `dev/`), whatever the case of their letters. Classes are numbered in the order of their names'
 * UTF-16 code units.
 *
 * Inputs are bytes [channels, height, width], gray where all images are, otherwise RGB (or always, with `channels: 3`).
 * @throws when there are no images, a file is damaged, or sizes or classes do not agree; the message names the file.
 */
export async function imageFolder(files: ListedFiles, options: ImageFolderOptions): Promise<Dataset> {
  const listed = await files.list();
  const images = listed.filter((path) => isImage(path, files));
  refusePartsOfImages(images, files);
  const parts = partsOf(images, files);
  const depth = parts.isSplit ? 1 : 0;
  const named = parts.train.length > 0 ? parts.train : options.classNames ? [] : parts.test;
  const classNames = options.classNames ?? classesOf(named, depth, files);
  const training = labelled(parts.train, depth, classNames, files);
  const testing = labelled(parts.test, depth, classNames, files);
  const pictures = await decodeAll([...training, ...testing], files, options);
  const held = options.validation;
  const validating =
    held &&
    labelled(
      (await held.list()).filter((path) => isImage(path, held)),
      0,
      classNames,
      held,
    );
  const like = pictures[0] && { ...pictures[0], path: ([...training, ...testing][0] as ImageFile).path };
  const heldPictures = held && validating ? await decodeAll(validating, held, options, like) : [];
  const isColored = [...pictures, ...heldPictures].some((picture) => picture.channels === 3);
  const channels = options.channels ?? (isColored ? 3 : 1);
  const all = asExamples(training, pictures.slice(0, training.length), channels);
  const own = asExamples(testing, pictures.slice(training.length), channels);
  const validation = validating && asExamples(validating, heldPictures, channels);
  for (const examples of [all, own, ...(validation ? [validation] : [])])
    if (examples.count > 0) checkExamples(examples, files.describe, classNames.length);
  if (held && validation?.count === 0) {
    throw new DataError(
      `${held.describe}: no PNG or JPEG images, expected some in a folder for each class (${classNames[0]}/1.png); correct the folder`,
      { source: held.describe },
    );
  }
  const { train, test } =
    testing.length > 0
      ? { train: all, test: own }
      : splitTest(all, options.testFraction ?? defaultTestFraction, files.describe);
  return {
    name: "images",
    classes: classNames.length,
    classNames,
    normalization: measureNormalization(train),
    train,
    test,
    ...(validation && { validation }),
    warnings: passedOver(listed, images, parts, files).map((warning) => words`${warning}`),
  };
}

/** How pictures without classes become inputs. */
export interface PictureOptions
  extends Pick<ImageFolderOptions, "decode" | "size" | "ignoreOrientation" | "limits"> {
  /** 1: pictures must be gray. 3: gray ones become RGB. Default: as the first one is. */
  readonly channels?: 1 | 3;
  /** Pictures in one part. */
  readonly batch: number;
}

/** Some pictures, and the paths of their files. */
export interface PicturePart extends Omit<Examples, "labels"> {
  /** Relative to the folder, as many as there are pictures. */
  readonly paths: readonly string[];
}

/**
 * Reads all PNG and JPEG images of a folder and of those inside, whatever these are called, part by part: no more pictures than one
 * part has are in memory.
 *
 * @throws when there are no images, a file is damaged, or sizes or colors do not agree; the message names the file
 */
export async function* pictureInputs(
  files: ListedFiles,
  { batch, ...options }: PictureOptions,
): AsyncGenerator<PicturePart, void> {
  const paths = (await files.list()).filter((path) => isImage(path, files));
  if (paths.length === 0) {
    throw new DataError(
      words`${files.describe}: no PNG or JPEG images, expected at least one; correct ${option("directory")}`,
      { source: files.describe },
    );
  }
  let { channels } = options;
  let like: PictureSize | undefined;
  for (let start = 0; start < paths.length; start += batch) {
    const part = paths.slice(start, start + batch).map((path) => ({ path, label: 0 }));
    const pictures = await decodeAll(part, files, options, like);
    like ??= pictures[0] && { ...pictures[0], path: paths[0] as string };
    channels ??= pictures.some((picture) => picture.channels === 3) ? 3 : 1;
    const colored = channels === 1 ? pictures.findIndex((picture) => picture.channels === 3) : -1;
    if (colored !== -1) {
      throw new DataError(
        `${part[colored]?.path} (${files.describe}): the image is in color, and the model takes gray ones; convert it ` +
          "(magick in.png -colorspace gray out.png)",
        { source: part[colored]?.path ?? "" },
      );
    }
    const { labels, ...inputs } = asExamples(part, pictures, channels);
    yield { ...inputs, paths: part.map(({ path }) => path) };
  }
}

interface Parts {
  /** Whether the class folders lie in folders that are named after parts. */
  readonly isSplit: boolean;
  readonly train: readonly string[];
  readonly test: readonly string[];
  /** The top folders that are read. */
  readonly folders: readonly string[];
}

/** A folder's name in lower case, without what people add to it: Training_Set, train-images. */
function partName(folder: string): string {
  return folder.toLowerCase().replace(/[\s_-]*(?:set|split|data|images|imgs|folder)$/, "");
}

/** Parts without class folders would be taken for classes. */
function refusePartsOfImages(images: readonly string[], files: ListedFiles): void {
  const folders = [...new Set(images.map((path) => path.split("/")[0] as string))];
  const find = (names: readonly string[]) => folders.find((folder) => names.includes(partName(folder)));
  const [train, test] = [find(trainFolders), find(testFolders)];
  const areAll = folders.every((folder) => [...trainFolders, ...testFolders].includes(partName(folder)));
  if (train === undefined || test === undefined || !areAll) return;
  const first = images.find((path) => path.startsWith(`${train}/`) && path.split("/").length === 2);
  if (first === undefined) return;
  throw new DataError(
    `${first} (${files.describe}): the image lies right in ${train}/, expected a folder for each class inside of ${train}/ ` +
      `and ${test}/ (${train}/cats/1.png); move the images into such folders`,
    { source: first },
  );
}

/** Which images train, and which test. */
function partsOf(images: readonly string[], files: ListedFiles): Parts {
  const top = (path: string) => path.split("/")[0] as string;
  // A class may be called like a part; then its images lie right in it.
  const withClasses = new Set(images.filter((path) => path.split("/").length > 2).map(top));
  const find = (names: readonly string[]) => {
    for (const name of names) {
      const found = [...withClasses].filter((folder) => partName(folder) === name);
      if (found.length > 1) {
        throw new DataError(
          `${files.describe}: both ${found.map((folder) => `${folder}/`).join(" and ")}, expected one of them; put them together`,
          { source: files.describe },
        );
      }
      if (found[0] !== undefined) return found[0];
    }
    return undefined;
  };
  const trainFolder = find(trainFolders);
  const testFolder = find(testFolders);
  const areParts = [...new Set(images.map(top))].every((folder) =>
    [...trainFolders, ...testFolders].includes(partName(folder)),
  );
  if (trainFolder === undefined && !(testFolder !== undefined && areParts))
    return { isSplit: false, train: images, test: [], folders: [...new Set(images.map(top))] };
  const inside = (folder: string | undefined) => images.filter((path) => top(path) === folder);
  return {
    isSplit: true,
    train: inside(trainFolder),
    test: inside(testFolder),
    folders: [trainFolder, testFolder].flatMap((folder) => folder ?? []),
  };
}

/** Names the top folders that hold files of which none is read. */
function passedOver(
  listed: readonly string[],
  images: readonly string[],
  { isSplit, folders }: Parts,
  files: ListedFiles,
): string[] {
  const others = new Map<string, number>();
  for (const path of listed) {
    const [folder = "", ...rest] = path.split("/");
    if (rest.length > 0 && !folders.includes(folder) && !isHidden(path))
      others.set(folder, (others.get(folder) ?? 0) + 1);
  }
  const count = (folder: string) => images.filter((path) => path.startsWith(`${folder}/`)).length;
  return [...others].map(([folder, size]) =>
    count(folder) > 0
      ? `${files.describe}: ${folder}/ is passed over (${count(folder)} images), because ` +
        `${folders.map((name) => `${name}/`).join(" and ")} ${folders.length > 1 ? "are" : "is"} read. Take it for itself, ` +
        "or put its images into one of them"
      : `${files.describe}: ${folder}/ is passed over: none of its ${size} files is PNG or JPEG` +
        `${isSplit ? "" : ", so it is no class"}`,
  );
}

function isHidden(path: string): boolean {
  return path.split("/").some((part) => part.startsWith(".") || part === "__MACOSX");
}

/** Hidden files and files of other kinds are passed over, but no image that cannot be read. */
function isImage(path: string, files: ListedFiles): boolean {
  if (isHidden(path)) return false;
  if (otherImageEnding.test(path)) {
    throw new DataError(
      `${path} (${files.describe}): images of this kind cannot be read, expected PNG or JPEG; convert it, or take it ` +
        "out of the folder",
      { source: path },
    );
  }
  return imageEnding.test(path);
}

/** The class folders, which lie below `depth` others. */
function classesOf(paths: readonly string[], depth: number, files: ListedFiles): string[] {
  if (paths.length === 0) {
    throw new DataError(
      words`${files.describe}: no PNG or JPEG images in folders, expected one folder for each class (cats/1.png,
        dogs/2.png), by themselves or in train/ and test/; correct ${option("directory")}`,
      { source: files.describe },
    );
  }
  const names = new Set(paths.map((path) => classOf(path, depth, files)));
  if (names.size < 2) {
    throw new DataError(
      `${files.describe}: images of the class '${[...names].join()}' alone, expected folders of at least 2 classes; ` +
        "pass the folder that holds the class folders",
      { source: files.describe },
    );
  }
  return [...names].sort();
}

function classOf(path: string, depth: number, files: ListedFiles): string {
  const parts = path.split("/");
  if (parts.length < depth + 2) {
    throw new DataError(
      `${path} (${files.describe}): the image lies in no class folder, expected one for each class; move it into one`,
      { source: path },
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
      throw new DataError(
        `${path} (${files.describe}): '${name}' is no class, expected one of ${classNames.join(", ")}; rename the ` +
          "folder or take it out",
        { source: path },
      );
    }
    return { path, label };
  });
}

/** The size of a picture, and the path of its file. */
interface PictureSize extends Pick<Picture, "width" | "height"> {
  readonly path: string;
}

/** @param like the picture whose size all have. Default: the first one */
async function decodeAll(
  images: readonly ImageFile[],
  files: ListedFiles,
  { size, ignoreOrientation, limits, decode }: Omit<ImageFolderOptions, "channels">,
  like?: PictureSize,
): Promise<Picture[]> {
  const pictures: Picture[] = [];
  for (const { path } of images) {
    const source = `${path} (${files.describe})`;
    const bytes = await files.read(path);
    if (bytes === undefined)
      throw new DataError(
        `${source}: the file has gone, or is a link to nothing; leave the folder alone while it is read, or take it out`,
        { source },
      );
    const decoded = await decodeImage(bytes, source, { decode, ignoreOrientation, limits });
    const picture = size ? resize(decoded, size.width, size.height) : decoded;
    const first = like ?? pictures[0] ?? picture;
    if (picture.width !== first.width || picture.height !== first.height) {
      throw new DataError(
        words`${source}: ${picture.height}×${picture.width} pixels (height×width), expected
          ${first.height}×${first.width} as in ${like?.path ?? images[0]?.path}; bring all images to one size
          (${option("size", { height: first.height, width: first.width })})`,
        { source },
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
