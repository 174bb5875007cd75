/** The random streams that keys are folded into, by purpose: what is drawn from one never meets another. Numbers stay. */
import { fold, type Key, keyFromSeed } from "./threefry.ts";

/** Streams of a seed. */
export const streams = {
  /** A model's first parameters. */
  initialization: 1,
  /** Which examples are set aside for validation. */
  split: 2,
  /** The order of the examples, by epoch. */
  order: 3,
  /** Tangents, by step. */
  tangents: 4,
  /** Tangents that measure the gradient's quality at a run's end. */
  quality: 5,
  augmentation: 6,
  /** First values of low-rank adapters. */
  adapters: 7,
  dropout: 8,
  /** The learning rates of a search. */
  rates: 9,
  /** First values of a new head. */
  head: 10,
  /** The drawn digits: "glyp". */
  glyphs: 0x676c7970,
} as const;

/** Streams of a layer's key: layers follow each other in a model's stream. */
export const layerStreams = { weight: 0, bias: 1, position: 1 } as const;

/** Streams of a step's key beside those of its tangents, which are numbered from 0. */
export const stepStreams = {
  arrangement: 2 ** 52,
  /** What an estimate that is drawn by its law takes in the place of tangents. */
  frame: 2 ** 52 + 1,
  direction: 2 ** 52 + 2,
} as const;

/** Streams of the frame of an estimate that is drawn by its law. */
export const frameStreams = { normals: 0, diagonals: 1, cuts: 2 } as const;

/** Streams of the drawn digits' key, and of each part of them. */
export const glyphStreams = { train: 0, test: 1, noise: 2 } as const;
export const glyphPartStreams = { labels: 0, drawing: 1 } as const;

/** Streams of a study's seed. */
export const frontierStreams = {
  split: 0,
  order: 1,
  augmentation: 2,
  dropout: 3,
  tangents: 4,
  /** Tangents of the steps that teach what learns from them. */
  taught: 5,
} as const;

/** Streams of one sample of the study of quality. */
export const sampleStreams = { tangents: 0, gradient: 1 } as const;

/** The key of a seed's stream. @throws as `keyFromSeed` */
export function streamKey(seed: number, stream: keyof typeof streams): Key {
  return fold(keyFromSeed(seed), streams[stream]);
}
