/** Opens the panels. */
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

if (!document.getElementById("landscape")?.hidden) openLandscape();
if (!document.getElementById("catch")?.hidden) openCatch();
