/** What a run on a server is, by the object that says so. */
import { SettingError } from "../errors/errors.ts";
import { words } from "../errors/words.ts";
import type { Objects, Transport } from "./transport.ts";

/** The object of each kind. */
export const describingObjects = { training: "run", study: "study", search: "search" } as const;

/** What a run is: a training, or units of work that are taken one by one. */
type RunKind = keyof typeof describingObjects;

/** What a run is; undefined where nobody has said it yet. */
async function kindOf(objects: Objects): Promise<RunKind | undefined> {
  const names = await objects.names();
  return (["study", "search", "training"] as const).find((kind) => names.includes(describingObjects[kind]));
}

/** @throws SettingError for a run that is no training, by what it is */
export async function requireTraining({ objects, describe }: Transport): Promise<void> {
  const kind = await kindOf(objects);
  if (kind === undefined || kind === "training") return;
  const what = kind === "study" ? "study, whose units" : "search, whose trials";
  throw new SettingError(
    words`${describe} is a ${what} programs and pages do not take (work, workInWorker): start the command "forwardgrad worker" for it, or name a
      training.`,
    { option: "run" },
  );
}
