/** The generator Threefry-2x32, and keys that fold into further keys. */
import { SettingError } from "../errors/errors.ts";
/** Two unsigned 32-bit words that name a stream of random numbers. */
export type Key = readonly [number, number];

// Rotations of Threefry-2x32 (Salmon et al. 2011, table 2), and the constant that ends its key schedule.
export const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const;
export const parity = 0x1bd11bda;

/**
 * Threefry-2x32: a random function from a key and a counter to two unsigned 32-bit words (Salmon et al., "Parallel
 * random numbers: as easy as 1, 2, 3", SC 2011). 13 rounds are the fewest that pass BigCrush.
 */
export function threefry2x32(key: Key, counter0: number, counter1: number, rounds = 13): [number, number] {
  const schedule = [key[0], key[1], key[0] ^ key[1] ^ parity];
  let x0 = (counter0 + key[0]) | 0;
  let x1 = (counter1 + key[1]) | 0;
  for (let round = 0; round < rounds; round++) {
    const rotation = rotations[round % 8] as number;
    x0 = (x0 + x1) | 0;
    x1 = ((x1 << rotation) | (x1 >>> (32 - rotation))) ^ x0;
    if (round % 4 === 3) {
      const injection = (round + 1) / 4;
      x0 = (x0 + (schedule[injection % 3] as number)) | 0;
      x1 = (x1 + (schedule[(injection + 1) % 3] as number) + injection) | 0;
    }
  }
  return [x0 >>> 0, x1 >>> 0];
}

/**
 * The key of a seed.
 *
 * @throws when the seed is no whole number from 0 to 2⁵³ − 1
 */
export function keyFromSeed(seed: number): Key {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new SettingError(`A seed must be a whole number from 0 to 2^53 - 1, received ${seed}.`, {
      option: "seed",
    });
  }
  return [seed >>> 0, Math.floor(seed / 2 ** 32)];
}

/**
 * The key of a stream below another one: seed → purpose → step → tangent → …; whole values from 0. It takes 20 rounds
 * where drawing takes 13, so that the children of a key have nothing to do with the numbers of its own stream.
 */
export function fold(key: Key, value: number): Key {
  return threefry2x32(key, value >>> 0, Math.floor(value / 2 ** 32), 20);
}
