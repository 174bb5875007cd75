/** How many digits are drawn, and how long is trained on them; the recorded run has the same. */

/** Drawn digits. */
export const counts = { train: 8000, test: 1000 } as const;
/** Passes over them. */
export const epochs = 4;
/** Width of the hidden layer. */
export const hidden = 64;
/** Steps between two comparisons with the exact gradient. */
export const every = 10;
