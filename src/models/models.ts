import { mlp } from "./mlp.ts";
import { mlpMixer } from "./mlp-mixer.ts";
import { vit } from "./vit.ts";

/** The models by name. */
export const models = { mlp, vit, "mlp-mixer": mlpMixer };

export type ModelName = keyof typeof models;
