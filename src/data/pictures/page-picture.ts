/** Decodes pictures in a page, or a worker of one, by the browser. */
import { type DecodePicture, UnreadPictureError } from "./picture.ts";

/** As much of a page as is used here, because neither Node's types nor ES2023's declare it. */
interface Page {
  createImageBitmap?(
    blob: Blob,
    options: Readonly<Record<"imageOrientation" | "colorSpaceConversion" | "premultiplyAlpha", string>>,
  ): Promise<{ readonly width: number; readonly height: number; close(): void }>;
  OffscreenCanvas?: new (
    width: number,
    height: number,
  ) => {
    getContext(
      kind: "2d",
      options: { readonly willReadFrequently: true },
    ): {
      drawImage(image: unknown, x: number, y: number): void;
      getImageData(x: number, y: number, width: number, height: number): { readonly data: Uint8ClampedArray };
    } | null;
  };
}

const page = globalThis as Page;

/**
 * Decodes PNG and JPEG by the page's own decoders: lossless pictures to the bytes that Node has, others to about these. Colors are taken as
 * they are stored, whatever profile the file has.
 */
export const decodePicture: DecodePicture = async (bytes, { ignoreOrientation = false, checkSize }) => {
  const { createImageBitmap: decode, OffscreenCanvas: Canvas } = page;
  if (!decode || !Canvas) {
    throw new UnreadPictureError(
      "this page has no OffscreenCanvas to decode pictures on; update the browser, or store the pictures as an npz array",
    );
  }
  const { width: storedWidth, height: storedHeight, isGray } = headOf(bytes);
  checkSize(storedWidth, storedHeight);
  const read = ignoreOrientation ? withoutOrientation(bytes) : bytes;
  const image = await decode(new Blob([read as Uint8Array<ArrayBuffer>]), {
    imageOrientation: "from-image",
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  });
  const { width, height } = image;
  const context = new Canvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new UnreadPictureError("this page gives no canvas to decode the picture on; reload it");
  context.drawImage(image, 0, 0);
  image.close();
  const { data } = context.getImageData(0, 0, width, height);
  const channels = isGray ? 1 : 3;
  const values = new Uint8Array(width * height * channels);
  for (let pixel = 0; pixel < width * height; pixel++) {
    if (data[4 * pixel + 3] !== 255) {
      throw new UnreadPictureError(
        "the image has transparent pixels, expected opaque ones; put it on a background",
      );
    }
    for (let channel = 0; channel < channels; channel++)
      values[pixel * channels + channel] = data[4 * pixel + channel] as number;
  }
  return { width, height, channels, data: values };
};

const isPng = (view: DataView) => view.getUint32(0) === 0x89504e47;
const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
  new DataView(buffer, byteOffset, byteLength);

/** Size and kind of color, from the file's first bytes. */
function headOf(bytes: Uint8Array): {
  readonly width: number;
  readonly height: number;
  readonly isGray: boolean;
} {
  const view = viewOf(bytes);
  if (isPng(view)) {
    // PNG: width, height, bits, and the kind of color; 0 and 4 are gray.
    const isGray = bytes[25] === 0 || bytes[25] === 4;
    return { width: view.getUint32(16), height: view.getUint32(20), isGray };
  }
  for (const { at, mark } of segmentsOf(bytes)) {
    // Those that begin a frame say the size.
    if (mark >= 0xc0 && mark <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(mark))
      return { width: view.getUint16(at + 7), height: view.getUint16(at + 5), isGray: bytes[at + 9] === 1 };
  }
  throw new UnreadPictureError("the image has no frame; get the file again");
}

/** A JPEG file's segments before its pixels: FF, a mark, a length. */
function* segmentsOf(bytes: Uint8Array): Generator<{ readonly at: number; readonly mark: number }> {
  const view = viewOf(bytes);
  for (let at = 2; at + 10 < bytes.length; ) {
    const mark = bytes[at + 1] as number;
    yield { at, mark };
    if (mark === 0xda) return;
    at += mark === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
}

/** The file with its EXIF data under a name that nobody reads: pages have no other way to leave a picture as it is stored. */
function withoutOrientation(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const view = viewOf(copy);
  const unread = "g".charCodeAt(0);
  if (isPng(view)) {
    for (let at = 8; at + 12 <= copy.length; at += 12 + view.getUint32(at))
      if (view.getUint32(at + 4) === 0x65584966) copy[at + 7] = unread;
  } else for (const { at, mark } of segmentsOf(copy)) if (mark === 0xe1) copy[at + 7] = unread;
  return copy;
}
