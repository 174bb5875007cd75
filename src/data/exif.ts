/** How a camera was held, as EXIF tells it: 1 upright, 2 mirrored, 3 upside down, … 8; see `upright`. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

const ORIENTATION = 0x0112;

/**
 * The orientation in a block of EXIF data, which is a TIFF file: byte order, then a first directory of 12-byte entries.
 * Source: CIPA DC-008, "Exchangeable image file format", 4.5 and 4.6.4.
 * @returns 1 where there is none, or the block makes no sense.
 */
export function orientationOf(exif: Uint8Array): Orientation {
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  if (exif.length < 8) return 1;
  const mark = view.getUint16(0);
  if (mark !== 0x4949 && mark !== 0x4d4d) return 1;
  const little = mark === 0x4949;
  const directory = view.getUint32(4, little);
  if (directory + 2 > exif.length) return 1;
  const count = view.getUint16(directory, little);
  for (let entry = 0; entry < count; entry++) {
    const at = directory + 2 + 12 * entry;
    if (at + 12 > exif.length) return 1;
    if (view.getUint16(at, little) !== ORIENTATION) continue;
    // A 16-bit number, but some programs write a 32-bit one.
    const value =
      view.getUint16(at + 2, little) === 4 ? view.getUint32(at + 8, little) : view.getUint16(at + 8, little);
    return value >= 1 && value <= 8 ? (value as Orientation) : 1;
  }
  return 1;
}
