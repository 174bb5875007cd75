/** Pictures as PNG files, for pages that show them. */
import { zlibSync } from "fflate";
import { crc32 } from "../storage/metrics.ts";

/**
 * A gray or RGB picture as the address of a PNG inside of a page.
 *
 * @param data [height, width, channels], row by row
 */
export function pictureUrl(data: Uint8Array, width: number, height: number, channels: 1 | 3): string {
  const rows = new Uint8Array(height * (1 + width * channels));
  // Each row begins with its filter: 0, none.
  for (let row = 0; row < height; row++)
    rows.set(
      data.subarray(row * width * channels, (row + 1) * width * channels),
      row * (1 + width * channels) + 1,
    );
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, channels === 3 ? 2 : 0], 8);
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", header),
    chunk("IDAT", zlibSync(rows, { level: 9 })),
    chunk("IEND", new Uint8Array()),
  ];
  const text = parts.map((part) => String.fromCharCode(...part)).join("");
  return `data:image/png;base64,${btoa(text)}`;
}

/** Length, name, data and checksum. */
function chunk(name: string, data: Uint8Array): Uint8Array {
  const out = new Uint8Array(12 + data.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, data.length);
  out.set(new TextEncoder().encode(name), 4);
  out.set(data, 8);
  view.setUint32(8 + data.length, crc32(out.subarray(4, 8 + data.length)));
  return out;
}
