import { SettingError } from "../errors/errors.ts";
import type { Key } from "./threefry.ts";
import { uniform64 } from "./uniform.ts";

/**
 * A random order of 0 … count − 1 (Fisher-Yates). Each swap takes 53 random bits times the range, rounded down: no
 * position is likelier than another by more than count·2⁻⁵³.
 */
export function permutation(key: Key, count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  const unit = uniform64(key, count);
  for (let last = count - 1; last > 0; last--) {
    const other = Math.floor((unit[last] as number) * (last + 1));
    const value = order[last] as number;
    order[last] = order[other] as number;
    order[other] = value;
  }
  return order;
}

/**
 * The first `count` positions of a random order of 0 … range − 1, in time and memory of `count` alone. They are the same
 * however many are asked for.
 *
 * @throws when count exceeds range
 */
export function drawDistinct(key: Key, count: number, range: number): number[] {
  if (count > range) {
    throw new SettingError(
      `${count} different numbers were asked of 0 to ${range - 1}; ask for ${range} at most.`,
      { option: "count" },
    );
  }
  // Fisher-Yates from the front; positions that no swap has touched hold their own number.
  const moved = new Map<number, number>();
  return Array.from(uniform64(key, count), (unit, index) => {
    const other = index + Math.floor(unit * (range - index));
    const value = moved.get(other) ?? other;
    moved.set(other, moved.get(index) ?? index);
    return value;
  });
}
