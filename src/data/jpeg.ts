import { type Orientation, orientationOf } from "./exif.ts";
import { enlarge, inverseTransform, rgbFromYcc, underBlack } from "./jpeg-samples.ts";
import {
  type Component,
  decodeScan,
  type HuffmanTable,
  huffmanTable,
  type Scan,
  zigzag,
} from "./jpeg-scan.ts";
import { type Picture, UnreadPictureError } from "./picture.ts";

/**
 * JPEG files, baseline and progressive. Sources: ITU-T T.81; ITU-T T.871 (JFIF); Adobe Technical Note 5116.
 *
 * The decoders in JavaScript that also run in pages without waiting confuse RGB with YCbCr, fail at restart markers, and
 * repeat samples of lower resolution instead of interpolating them.
 */

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly isProgressive: boolean;
  readonly components: readonly Component[];
  readonly across: number;
  readonly down: number;
}

/** What the segments before and between scans have said so far. */
interface State {
  readonly quantization: (Int32Array | undefined)[];
  readonly dc: (HuffmanTable | undefined)[];
  readonly ac: (HuffmanTable | undefined)[];
  restartInterval: number;
  frame: Frame | undefined;
  scans: number;
  readonly scanned: Set<Component>;
  isJfif: boolean;
  /** Adobe's color transform: 0 none, 1 YCbCr, 2 YCCK; undefined where there is no such marker. */
  transform: number | undefined;
  orientation: Orientation;
}

/** A scan costs time, however short it is. */
const mostScans = 500;

/** Frames that are not read, by their marker. */
const otherFrames: Readonly<Record<number, string>> = {
  ...{ 195: "lossless", 197: "hierarchical", 198: "hierarchical", 199: "hierarchical" },
  ...{ 201: "arithmetic-coded", 202: "arithmetic-coded", 203: "arithmetic-coded", 247: "lossless" },
  ...{ 205: "arithmetic-coded", 206: "arithmetic-coded", 207: "arithmetic-coded" },
};

/**
 * Decodes a JPEG file: gray, RGB, YCbCr; CMYK and YCCK become RGB.
 * @param checkSize throws where a picture of this size is not wanted; called before memory is taken.
 * @throws when the file is damaged or of another kind.
 */
export function decodeJpeg(
  bytes: Uint8Array,
  checkSize: (width: number, height: number) => void,
): { readonly picture: Picture; readonly orientation: Orientation } {
  const state: State = {
    ...{
      quantization: [],
      dc: [],
      ac: [],
      restartInterval: 0,
      frame: undefined,
      scans: 0,
      scanned: new Set<Component>(),
    },
    ...{ isJfif: false, transform: undefined, orientation: 1 },
  };
  for (let at = 2; ; ) {
    // Between segments there may be bytes that belong to none.
    while (at + 1 < bytes.length && !(bytes[at] === 0xff && isMarker(bytes[at + 1] as number))) at++;
    const marker = bytes[at + 1];
    if (marker === undefined || marker === 0xd9) {
      checkScanned(state, marker === 0xd9);
      break;
    }
    const end = at + 2 + 256 * (bytes[at + 2] ?? 0) + (bytes[at + 3] ?? 0);
    if (end < at + 4 || end > bytes.length) throw new Error("a segment is longer than the file");
    const content = bytes.subarray(at + 4, end);
    at = end;
    if (marker === 0xda) at = decodeScan(bytes, end, readScan(content, state));
    else readSegment(marker, content, state, checkSize);
  }
  if (state.frame === undefined) throw new Error("there is no frame");
  return { picture: asPicture(state.frame, state), orientation: state.orientation };
}

/** The mark of the end may be missing where nothing else can have followed. */
function checkScanned({ frame, scanned }: State, hasEnd: boolean): void {
  if (!hasEnd && frame?.isProgressive) throw new Error("the file ends between its scans");
  if (frame === undefined || frame.components.some((component) => !scanned.has(component)))
    throw new Error("the file ends before each component has a scan");
}

/** Restart markers are none here, nor are zero bytes and repetitions of 0xff. */
function isMarker(code: number): boolean {
  return code >= 0xc0 && code < 0xff && !(code >= 0xd0 && code <= 0xd8);
}

function readSegment(
  marker: number,
  content: Uint8Array,
  state: State,
  checkSize: (width: number, height: number) => void,
): void {
  if (marker === 0xdb) readQuantization(content, state);
  else if (marker === 0xc4) readHuffman(content, state);
  else if (marker === 0xdd) state.restartInterval = 256 * (content[0] ?? 0) + (content[1] ?? 0);
  else if (marker === 0xe0) state.isJfif ||= startsWith(content, "JFIF\0");
  else if (marker === 0xe1 && startsWith(content, "Exif\0"))
    state.orientation = orientationOf(content.subarray(6));
  else if (marker === 0xee && startsWith(content, "Adobe")) state.transform = content[11];
  else if (marker >= 0xc0 && marker <= 0xc2) {
    if (state.frame !== undefined) throw new Error("a second frame");
    state.frame = readFrame(content, marker === 0xc2, checkSize);
  } else if (otherFrames[marker] !== undefined) {
    throw new UnreadPictureError(
      `the image is a JPEG of a rare kind (${otherFrames[marker]}), expected baseline or progressive; save it again as such`,
    );
  }
}

function startsWith(content: Uint8Array, text: string): boolean {
  return String.fromCharCode(...content.subarray(0, text.length)) === text;
}

/** T.81, B.2.4.1 */
function readQuantization(content: Uint8Array, state: State): void {
  for (let at = 0; at < content.length; ) {
    const [size, index] = [(content[at] as number) >> 4, (content[at] as number) & 15];
    const bytes = size === 0 ? 1 : 2;
    const end = at + 1 + 64 * bytes;
    if (size > 1 || end > content.length) throw new Error("a quantization table is incomplete");
    const table = new Int32Array(64);
    for (let place = 0; place < 64; place++) {
      const first = content[at + 1 + place * bytes] as number;
      table[zigzag[place] as number] =
        bytes === 1 ? first : 256 * first + (content[at + 2 + place * bytes] as number);
    }
    state.quantization[index] = table;
    at = end;
  }
}

/** T.81, B.2.4.2 */
function readHuffman(content: Uint8Array, state: State): void {
  for (let at = 0; at < content.length; ) {
    const kind = content[at] as number;
    const counts = content.subarray(at + 1, at + 17);
    const end = at + 17 + counts.reduce((total, count) => total + count, 0);
    if (kind >> 4 > 1 || end > content.length) throw new Error("a Huffman table is incomplete");
    const table = huffmanTable(counts, content.subarray(at + 17, end));
    (kind >> 4 === 0 ? state.dc : state.ac)[kind & 15] = table;
    at = end;
  }
}

/** T.81, B.2.2 */
function readFrame(
  content: Uint8Array,
  isProgressive: boolean,
  checkSize: (width: number, height: number) => void,
): Frame {
  const [precision, heightHigh = 0, heightLow = 0, widthHigh = 0, widthLow = 0, count = 0] = content;
  const [width, height] = [256 * widthHigh + widthLow, 256 * heightHigh + heightLow];
  if (content.length < 6 + 3 * count || width === 0) throw new Error("the frame header is incomplete");
  if (precision !== 8 || height === 0) {
    throw new UnreadPictureError(
      height === 0
        ? "the image is a JPEG that tells its height at its end; save it again"
        : `the image is a JPEG of ${precision} bits a sample, expected 8; save it again as such`,
    );
  }
  if (count !== 1 && count !== 3 && count !== 4) {
    throw new UnreadPictureError(
      `the image has ${count} color components, expected 1 (gray), 3 (color) or 4 (CMYK); convert it to RGB`,
    );
  }
  checkSize(width, height);
  const sizes = Array.from({ length: count }, (_, place) => {
    const [id = 0, sampling = 0, quantization = 0] = content.subarray(6 + 3 * place);
    return { id, across: sampling >> 4, down: sampling & 15, quantization };
  });
  if (sizes.some(({ across, down }) => across < 1 || across > 4 || down < 1 || down > 4))
    throw new Error("a sampling factor outside of 1 to 4");
  const [across, down] = [
    Math.max(...sizes.map((size) => size.across)),
    Math.max(...sizes.map((size) => size.down)),
  ];
  const components = sizes.map((size) => {
    const stride = Math.ceil(width / 8 / across) * size.across;
    const storedRows = Math.ceil(height / 8 / down) * size.down;
    return {
      ...size,
      columns: Math.ceil(Math.ceil((width * size.across) / across) / 8),
      rows: Math.ceil(Math.ceil((height * size.down) / down) / 8),
      stride,
      coefficients: new Int16Array(64 * stride * storedRows),
    };
  });
  return { width, height, isProgressive, components, across, down };
}

/** T.81, B.2.3 */
function readScan(content: Uint8Array, state: State): Scan {
  const { frame, restartInterval } = state;
  const count = content[0] ?? 0;
  if (frame === undefined || count < 1 || content.length < 4 + 2 * count)
    throw new Error("a scan header is incomplete");
  if (++state.scans > mostScans) throw new Error(`more than ${mostScans} scans`);
  const components = Array.from({ length: count }, (_, place) => {
    const [id, tables = 0] = content.subarray(1 + 2 * place);
    const component = frame.components.find((candidate) => candidate.id === id);
    if (component === undefined) throw new Error(`a scan of the component ${id}, which is not in the frame`);
    state.scanned.add(component);
    return { component, dc: state.dc[tables >> 4], ac: state.ac[tables & 15] };
  });
  const [first = 0, last = 0, bits = 0] = content.subarray(1 + 2 * count);
  const band = frame.isProgressive
    ? { first, last, high: bits >> 4, low: bits & 15 }
    : { first: 0, last: 63, high: 0, low: 0 };
  if (
    band.last > 63 ||
    band.first > band.last ||
    (frame.isProgressive && band.first === 0 && band.last > 0) ||
    (band.first > 0 && count > 1)
  )
    throw new Error(`a scan of coefficients ${first} to ${last}`);
  return {
    components,
    ...band,
    isProgressive: frame.isProgressive,
    restartInterval,
    unitColumns: Math.ceil(frame.width / 8 / frame.across),
    unitRows: Math.ceil(frame.height / 8 / frame.down),
  };
}

function asPicture(frame: Frame, state: State): Picture {
  const { width, height, components } = frame;
  const planes = components.map((component) => {
    const table = state.quantization[component.quantization];
    if (table === undefined) throw new Error("a quantization table is missing");
    const plane = {
      samples: inverseTransform(component, table),
      stride: 8 * component.stride,
      columns: Math.ceil((width * component.across) / frame.across),
      rows: Math.ceil((height * component.down) / frame.down),
      across: frame.across / component.across,
      down: frame.down / component.down,
    };
    return enlarge(plane, width, height);
  });
  const [first, second, third, black] = planes;
  if (first === undefined || second === undefined || third === undefined)
    return { width, height, channels: 1, data: first ?? new Uint8Array() };
  if (isYcc(components, state)) {
    rgbFromYcc(first, second, third);
    // YCCK stands for the inks of the inverted color.
    if (black) for (const ink of [first, second, third]) ink.set(ink.map((value) => 255 - value));
  }
  if (black) for (const ink of [first, second, third]) underBlack(ink, black);
  const data = new Uint8Array(3 * width * height);
  for (const [channel, plane] of [first, second, third].entries())
    for (let at = 0; at < plane.length; at++) data[3 * at + channel] = plane[at] as number;
  return { width, height, channels: 3, data };
}

/** Whether the first three components are YCbCr: JFIF and Adobe say so, and otherwise the components' names. */
function isYcc(components: readonly Component[], { isJfif, transform }: State): boolean {
  if (components.length === 4) return transform !== undefined && transform !== 0;
  if (isJfif) return true;
  if (transform !== undefined) return transform !== 0;
  return String.fromCharCode(...components.map(({ id }) => id)) !== "RGB";
}
