/** Opens the panels: two at once, the others when they come near. */
import { openCatch } from "./catch/catch.ts";
import { openLandscape } from "./landscape/landscape.ts";

const address = new URLSearchParams(location.search);
const root = document.documentElement;
const theme = address.get("theme");
if (theme === "light" || theme === "dark") root.dataset.theme = theme;
// One panel alone, for another page's frame.
const embedded = address.get("embed");
if (embedded !== null && document.getElementById(embedded)?.classList.contains("panel")) {
  root.dataset.embed = embedded;
  for (const panel of document.querySelectorAll(".panel"))
    panel.toggleAttribute("hidden", panel.id !== embedded);
}

/** Loads a panel's module, which opens it, when it is about to be seen. */
function whenNear(id: string): void {
  const panel = document.getElementById(id);
  if (!panel || panel.hidden) return;
  const observer = new IntersectionObserver(
    (entries) => {
      if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
      observer.disconnect();
      // A file of its own, which this one does not hold.
      void import(new URL(`${id}.js`, document.baseURI).href);
    },
    { rootMargin: "400px" },
  );
  observer.observe(panel);
}

if (!document.getElementById("landscape")?.hidden) openLandscape();
if (!document.getElementById("catch")?.hidden) openCatch();
for (const id of ["race", "digits", "own", "memory", "reports"]) whenNear(id);

// What was loaded once is there without a network; a frame of another page leaves that to the whole page.
if (embedded === null && "serviceWorker" in navigator)
  addEventListener("load", () => void navigator.serviceWorker.register("offline.js").catch(() => undefined));
