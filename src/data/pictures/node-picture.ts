import type { Sharp } from "sharp";
import { type DecodePicture, type Picture, UnreadPictureError } from "./picture.ts";

/** Decodes PNG and JPEG in Node by libvips (sharp), to the bytes that Pillow sees. */
export const decodePicture: DecodePicture = async (bytes, { ignoreOrientation = false, checkSize }) => {
  const { default: sharp } = await loadSharp();
  // Sizes are checked here, by a limit of our own with a name.
  const file = sharp(bytes, { failOn: "warning", limitInputPixels: false });
  const { width, height, space } = await file.metadata();
  checkSize(width, height);
  const image = ignoreOrientation ? file : file.autoOrient();
  if (space === "cmyk") return rgbFromCmyk(await pixels(image.pipelineColourspace("cmyk"), "cmyk"));
  // Both depths of a gray picture, which would otherwise become RGB.
  const isGray = space === "b-w" || space === "grey16";
  return opaque(await pixels(image, isGray ? "grey16" : "rgb16"), isGray ? 1 : 3);
};

/** Raw numbers, [height, width, channels]. */
interface Raw {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly values: Uint8Array;
}

async function pixels(image: Sharp, space: "cmyk" | "grey16" | "rgb16"): Promise<Raw> {
  const depth = space === "cmyk" ? "uchar" : "ushort";
  const { data, info } = await image
    .toColourspace(space)
    .raw({ depth })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  if (depth === "uchar") return { width, height, channels, values: new Uint8Array(data) };
  // Little-endian 16-bit numbers: the upper bytes. 8-bit pictures are 257 times their values there.
  const values = Uint8Array.from({ length: data.length / 2 }, (_, index) => data[2 * index + 1] as number);
  return { width, height, channels, values };
}

/** The picture without its alpha channel. @throws UnreadPictureError where that is not opaque. */
function opaque({ width, height, channels, values }: Raw, wanted: 1 | 3): Picture {
  if (channels === wanted) return { width, height, channels: wanted, data: values };
  const data = new Uint8Array(width * height * wanted);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const from = pixel * channels;
    if (values[from + channels - 1] !== 255) {
      throw new UnreadPictureError(
        "the image has transparent pixels, expected opaque ones; put it on a background",
      );
    }
    data.set(values.subarray(from, from + wanted), pixel * wanted);
  }
  return { width, height, channels: wanted, data };
}

/** As Pillow: (255 − c)(255 − k)/255, rounded. */
function rgbFromCmyk({ width, height, values }: Raw): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const light = 255 - (values[4 * pixel + 3] as number);
    for (let channel = 0; channel < 3; channel++)
      data[3 * pixel + channel] = Math.round(((255 - (values[4 * pixel + channel] as number)) * light) / 255);
  }
  return { width, height, channels: 3, data };
}

async function loadSharp(): Promise<typeof import("sharp")> {
  try {
    return await import("sharp");
  } catch (cause) {
    throw new UnreadPictureError(
      `pictures are decoded by the optional package sharp, which does not load (${(cause as Error).message}); ` +
        "install it (npm install sharp), or store the pictures as an npz array",
      { cause },
    );
  }
}
