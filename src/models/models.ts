/** All models by name. */
import { convnet } from "./convnet.ts";
import { lenet5 } from "./lenet5.ts";
import { mlp } from "./mlp.ts";
import { mlpMixer } from "./mlp-mixer.ts";
import { resnet18 } from "./resnet18.ts";
import { vit } from "./vit.ts";

/** The models by name. */
export const models = { mlp, lenet5, convnet, resnet18, vit, "mlp-mixer": mlpMixer };

/** Name of a model in `models`. */
export type ModelName = keyof typeof models;
