/** The entropy-coded part of JPEG files: coefficients of blocks of 8×8 samples. Source: ITU-T T.81, annexes F and G. */

/** A color component of the picture. */
export interface Component {
  readonly id: number;
  /** Sampling factors: blocks of an interleaved unit. */
  readonly across: number;
  readonly down: number;
  readonly quantization: number;
  /** Size in blocks, as scans of this component alone have it. */
  readonly columns: number;
  readonly rows: number;
  /** Blocks stored a row: whole interleaved units. */
  readonly stride: number;
  /** 64 numbers a block, row by row, not yet multiplied by the quantization table. */
  readonly coefficients: Int16Array;
}

/** A Huffman table: codes of each length are consecutive numbers (T.81, F.2.2.3). */
export interface HuffmanTable {
  /** By length of the code: the largest code, or −1 where there is none; and what to add to a code for its value's place. */
  readonly largest: Int32Array;
  readonly offset: Int32Array;
  readonly values: Uint8Array;
}

export interface Scan {
  readonly components: readonly {
    readonly component: Component;
    readonly dc: HuffmanTable | undefined;
    readonly ac: HuffmanTable | undefined;
  }[];
  /** Coefficients of this scan, in zigzag order: first and last. */
  readonly first: number;
  readonly last: number;
  /** Successive approximation: the bit position before, or 0 in the first scan, and that of this scan. */
  readonly high: number;
  readonly low: number;
  readonly isProgressive: boolean;
  /** Units between restart markers; 0 for none. */
  readonly restartInterval: number;
  /** Interleaved units of the picture. */
  readonly unitColumns: number;
  readonly unitRows: number;
}

/** Where each coefficient in zigzag order belongs. */
export const zigzag = Uint8Array.of(
  ...[0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48],
  ...[41, 34, 27, 20, 13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23],
  ...[30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63],
);

/**
 * Builds a Huffman table.
 * @param counts how many codes there are of each length from 1 to 16.
 */
export function huffmanTable(counts: Uint8Array, values: Uint8Array): HuffmanTable {
  const largest = new Int32Array(17).fill(-1);
  const offset = new Int32Array(17);
  let [code, place] = [0, 0];
  for (let length = 1; length <= 16; length++) {
    const count = counts[length - 1] as number;
    offset[length] = place - code;
    code += count;
    place += count;
    if (count > 0) largest[length] = code - 1;
    if (code > 2 ** length) throw new Error("a Huffman table has too many codes");
    code *= 2;
  }
  return { largest, offset, values };
}

/** Reads bits up to the next marker; a zero byte follows each byte of ones that is none. */
interface BitReader {
  readonly bytes: Uint8Array;
  at: number;
  bits: number;
  left: number;
}

function readBit(reader: BitReader): number {
  if (reader.left === 0) {
    const byte = reader.bytes[reader.at++];
    if (byte === undefined || (byte === 0xff && reader.bytes[reader.at++] !== 0))
      throw new Error("a scan ends early");
    reader.bits = byte;
    reader.left = 8;
  }
  return (reader.bits >> --reader.left) & 1;
}

function readBits(reader: BitReader, count: number): number {
  let value = 0;
  for (let bit = 0; bit < count; bit++) value = 2 * value + readBit(reader);
  return value;
}

/** A number of so many bits, whose first bit tells its sign (T.81, F.2.2.1). */
function readSigned(reader: BitReader, count: number): number {
  if (count === 0) return 0;
  const value = readBits(reader, count);
  return value < 2 ** (count - 1) ? value - 2 ** count + 1 : value;
}

function readCode(reader: BitReader, table: HuffmanTable): number {
  let code = 0;
  for (let length = 1; length <= 16; length++) {
    code = 2 * code + readBit(reader);
    if (code <= (table.largest[length] as number))
      return table.values[code + (table.offset[length] as number)] as number;
  }
  throw new Error("a code is in no Huffman table");
}

/** What a scan remembers from block to block. */
interface ScanState {
  readonly reader: BitReader;
  /** The last DC coefficient of each component. */
  readonly predictions: Int32Array;
  /** Blocks that are known to hold no more coefficients of this band. */
  endOfBand: number;
}

/**
 * Decodes a scan into its components' coefficients.
 * @param start where the entropy-coded bytes begin.
 * @returns where they end.
 * @throws when they end early, or hold codes that are in no table.
 */
export function decodeScan(bytes: Uint8Array, start: number, scan: Scan): number {
  const state: ScanState = {
    reader: { bytes, at: start, bits: 0, left: 0 },
    predictions: new Int32Array(scan.components.length),
    endOfBand: 0,
  };
  const alone = scan.components.length === 1 ? scan.components[0]?.component : undefined;
  const columns = alone ? alone.columns : scan.unitColumns;
  const units = columns * (alone ? alone.rows : scan.unitRows);
  for (let unit = 0; unit < units; unit++) {
    if (scan.restartInterval > 0 && unit > 0 && unit % scan.restartInterval === 0) restart(state);
    const [row, column] = [Math.floor(unit / columns), unit % columns];
    if (alone) {
      decodeBlock(state, scan, 0, row * alone.stride + column);
      continue;
    }
    for (const [place, { component }] of scan.components.entries())
      for (let down = 0; down < component.down; down++)
        for (let across = 0; across < component.across; across++)
          decodeBlock(
            state,
            scan,
            place,
            (row * component.down + down) * component.stride + column * component.across + across,
          );
  }
  return state.reader.at;
}

/** Passes over a restart marker: what follows does not depend on what was before. */
function restart(state: ScanState): void {
  const { reader } = state;
  while (reader.bytes[reader.at] === 0xff && reader.bytes[reader.at + 1] === 0xff) reader.at++;
  const marker = reader.bytes[reader.at + 1] ?? 0;
  if (reader.bytes[reader.at] !== 0xff || marker < 0xd0 || marker > 0xd7)
    throw new Error("a restart marker is missing");
  reader.at += 2;
  reader.left = 0;
  state.predictions.fill(0);
  state.endOfBand = 0;
}

function decodeBlock(state: ScanState, scan: Scan, place: number, block: number): void {
  const { component, dc, ac } = scan.components[place] as Scan["components"][number];
  const start = 64 * block;
  const { reader } = state;
  if (scan.first === 0) {
    if (scan.high > 0) {
      if (readBit(reader))
        component.coefficients[start] = (component.coefficients[start] as number) | (1 << scan.low);
    } else {
      if (dc === undefined) throw new Error("a Huffman table is missing");
      const size = readCode(reader, dc);
      if (size > 15) throw new Error(`a difference of ${size} bits`);
      const value = (state.predictions[place] as number) + readSigned(reader, size);
      state.predictions[place] = value;
      component.coefficients[start] = value * 2 ** scan.low;
    }
  }
  if (scan.last === 0) return;
  if (ac === undefined) throw new Error("a Huffman table is missing");
  const band = component.coefficients.subarray(start, start + 64);
  if (scan.high > 0) refineBand(state, scan, ac, band);
  else decodeBand(state, scan, ac, band);
}

/** Coefficients behind the first, or their upper bits (T.81, F.2.2.2 and G.1.2.2). */
function decodeBand(state: ScanState, scan: Scan, table: HuffmanTable, band: Int16Array): void {
  if (state.endOfBand > 0) {
    state.endOfBand--;
    return;
  }
  for (let place = Math.max(1, scan.first); place <= scan.last; ) {
    const code = readCode(state.reader, table);
    const [zeros, size] = [code >> 4, code & 15];
    if (size === 0 && zeros < 15) {
      state.endOfBand = endOfBand(state, scan, zeros) - 1;
      return;
    }
    place += size === 0 ? 16 : zeros;
    if (size === 0) continue;
    if (place > scan.last) throw new Error("a run of zeros leaves its block");
    band[zigzag[place++] as number] = readSigned(state.reader, size) * 2 ** scan.low;
  }
}

/** How many blocks, from this one on, hold no more coefficients. */
function endOfBand(state: ScanState, scan: Scan, size: number): number {
  return scan.isProgressive ? 2 ** size + readBits(state.reader, size) : 1;
}

/** One more bit of the coefficients behind the first (T.81, G.1.2.3). */
function refineBand(state: ScanState, scan: Scan, table: HuffmanTable, band: Int16Array): void {
  const { reader } = state;
  const bit = 2 ** scan.low;
  let place = scan.first;
  /** Adds a bit to each coefficient that is not 0, until so many that are 0 are passed. */
  const refine = (zeros: number) => {
    for (; place <= scan.last; place++) {
      const at = zigzag[place] as number;
      const value = band[at] as number;
      if (value === 0) {
        if (zeros-- === 0) return;
      } else if (readBit(reader) && (Math.abs(value) & bit) === 0)
        band[at] = value + (value > 0 ? bit : -bit);
    }
  };
  while (state.endOfBand === 0 && place <= scan.last) {
    const code = readCode(reader, table);
    const [zeros, size] = [code >> 4, code & 15];
    if (size === 0 && zeros < 15) {
      state.endOfBand = endOfBand(state, scan, zeros);
      break;
    }
    if (size > 1) throw new Error(`a refinement of ${size} bits`);
    const value = size === 0 ? 0 : readBit(reader) ? bit : -bit;
    refine(zeros);
    if (place > scan.last && size > 0) throw new Error("a run of zeros leaves its block");
    if (value !== 0) band[zigzag[place] as number] = value;
    place++;
  }
  if (state.endOfBand > 0) {
    refine(64);
    state.endOfBand--;
  }
}
