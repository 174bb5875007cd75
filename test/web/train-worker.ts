/** A worker of a page that trains. */
import { serveTraining, type WorkerScope } from "../../src/web.ts";

declare const self: WorkerScope;

serveTraining(self);
