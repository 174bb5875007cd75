/** Signs drawn by a device's shader, where a graph reads them: the same bytes as the kernel's. */
import { type Key, parity, rotations } from "./threefry.ts";

/** What runs a shader over numbers that stay on a device; a runtime's residence is one. */
export interface ShaderHost<Numbers> {
  /** Runs so many workgroups of WGSL code with bindings 0, `words`, and 1, the numbers [n], float32. */
  compute(code: string, words: Uint32Array, numbers: Numbers, groups: number): void;
}

/** A range of a stream of signs. */
export interface SignRange {
  /** The stream's key. */
  readonly key: Key;
  /** Place in the stream of the first sign, below 2⁵³. */
  readonly start: number;
}

/**
 * Draws rows of `length` signs each, one behind the other: what `fillRademacher` writes for the same keys and places.
 *
 * @param numbers where they go, [rows, length], on the device
 */
export function drawSignsOn<Numbers>(
  host: ShaderHost<Numbers>,
  rows: readonly SignRange[],
  length: number,
  numbers: Numbers,
): void {
  const counters = Math.ceil((length + 63) / 64);
  const words = rows.flatMap(({ key, start }) => {
    const skip = start % 64;
    const counter = (start - skip) / 64;
    return [key[0], key[1], counter >>> 0, Math.floor(counter / 2 ** 32), skip];
  });
  const groups = Math.ceil((rows.length * counters) / groupSize);
  host.compute(code, Uint32Array.from([rows.length, length, counters, ...words]), numbers, groups);
}

/** Counters that one workgroup draws. */
const groupSize = 64;

/** Threefry-2x32 of 13 rounds, as `threefry2x32` has them, written out. */
const rounds = Array.from({ length: 13 }, (_, round) => {
  const turn = rotations[round % 8] as number;
  const mixed = `x0 += x1; x1 = ((x1 << ${turn}u) | (x1 >> ${32 - turn}u)) ^ x0;`;
  const step = (round + 1) / 4;
  const injected = `x0 += key[${step % 3}]; x1 += key[${(step + 1) % 3}] + ${step}u;`;
  return round % 4 === 3 ? `${mixed} ${injected}` : mixed;
}).join("\n  ");

const code = `
@group(0) @binding(0) var<storage, read> words: array<u32>;
@group(0) @binding(1) var<storage, read_write> numbers: array<f32>;

fn signs(word: u32, row: u32, first: i32) {
  for (var bit = 0u; bit < 32u; bit++) {
    let place = first + i32(bit);
    if (place >= 0 && place < i32(words[1])) {
      numbers[row * words[1] + u32(place)] = select(1.0, -1.0, ((word >> bit) & 1u) == 1u);
    }
  }
}

@compute @workgroup_size(${groupSize})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) own: u32,
) {
  let index = (group.y * groups.x + group.x) * ${groupSize}u + own;
  let row = index / words[2];
  let counter = index % words[2];
  if (row >= words[0]) { return; }
  let at = 3u + 5u * row;
  let low = words[at + 2u] + counter;
  let high = words[at + 3u] + select(0u, 1u, low < counter);
  let key = array<u32, 3>(words[at], words[at + 1u], words[at] ^ words[at + 1u] ^ ${parity >>> 0}u);
  var x0 = low + key[0];
  var x1 = high + key[1];
  ${rounds}
  let first = i32(counter * 64u) - i32(words[at + 4u]);
  signs(x0, row, first);
  signs(x1, row, first + 32);
}
`;
