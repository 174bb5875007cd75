import { mlp } from "./mlp.ts";

/** The models by name. */
export const models = { mlp };

export type ModelName = keyof typeof models;
