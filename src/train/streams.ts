/** What each stream of a run's seed is for; stream 1 initializes models, 7 adapters, 9 draws the rates of a search. */
export const streams = {
  split: 2,
  order: 3,
  tangents: 4,
  quality: 5,
  augmentation: 6,
  dropout: 8,
} as const;
