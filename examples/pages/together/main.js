// Joins a run on a NATS server and computes derivatives for it, in a worker of the page, until the run ends or somebody leaves.
import { workInWorker } from "forwardgrad/web";

const form = document.getElementById("join");
const leave = document.getElementById("leave");
const state = document.getElementById("state");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const given = new FormData(form);
  const credentials = await given.get("credentials").text();
  const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  const stop = new AbortController();
  leave.onclick = () => stop.abort();
  leave.disabled = false;
  state.textContent = "Connecting …";
  let answered = 0;
  try {
    const result = await workInWorker(worker, {
      url: given.get("url"),
      run: given.get("run") || undefined,
      credentials: credentials || undefined,
      signal: stop.signal,
      onEvent({ kind, step }) {
        if (kind === "waiting") state.textContent = "Waiting for a run to begin …";
        if (kind === "joined") state.textContent = `Follows the run from step ${step}.`;
        if (kind === "answered") state.textContent = `Step ${step + 1}: ${++answered} answers so far.`;
        if (kind === "paused") state.textContent = "The run was stopped: waiting until it goes on …";
        if (kind === "resumed") state.textContent = "The run goes on.";
        if (kind === "silent") state.textContent = "The server keeps nothing now: waiting until it does …";
        if (kind === "disconnected") state.textContent = "The connection is lost: waiting until it is back …";
      },
    });
    state.textContent = `The run is ${result.how}: ${result.granules} answers, ${result.steps} steps followed.`;
  } catch (error) {
    state.textContent = error.message;
  }
  leave.disabled = true;
  worker.terminate();
});
