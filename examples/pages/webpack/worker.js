// The worker that trains for the page.
import { serveTraining } from "forwardgrad/web";

serveTraining(self);
