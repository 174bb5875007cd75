// The worker that computes for the page.
import { serveWork } from "forwardgrad/web";

serveWork(self);
