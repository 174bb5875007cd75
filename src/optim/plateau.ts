/** Lowers the learning rate where the validation loss no longer falls. */
import { freshPatience, type Patience, watch } from "./patience.ts";

/** Where a plateau schedule is: plain data, so that a checkpoint can hold it. */
export interface Plateau {
  /** Factor of the learning rate. */
  readonly factor: number;
  /** How long the validation loss has not improved. */
  readonly patience: Patience;
}

/** When a plateau schedule decays, and by how much. */
export interface PlateauRule {
  /** What the learning rate is multiplied by on a plateau. */
  readonly decay: number;
  /** Losses without improvement that are waited for. */
  readonly patience: number;
}

/** Before the first validation loss: the whole learning rate. */
export const freshPlateau: Plateau = { factor: 1, patience: freshPatience };

/** An improvement is at least one part in ten thousand of the loss, as in PyTorch. */
const threshold = 1e-4;

/** Takes a validation loss into account: after more than `patience` losses without improvement, the factor decays. */
export function observe(plateau: Plateau, loss: number, { decay, patience: limit }: PlateauRule): Plateau {
  const patience = watch(plateau.patience, loss, threshold);
  if (patience.waited <= limit) return { ...plateau, patience };
  return { factor: plateau.factor * decay, patience: { ...patience, waited: 0 } };
}
