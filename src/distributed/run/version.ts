/** The version of the program, which all participants of a run share: another may compute other bits. */
import packageJson from "../../../package.json" with { type: "json" };

export const version: string = packageJson.version;
