/** Who is taken for whom: a table whose cells hold pictures. */
import { element, say } from "../elements.ts";
import { figure, picture, type Reading } from "./pictures.ts";

const most = 12;

/** Shows a cell's pictures, and which cell it is. */
function showCell(readings: readonly Reading[], words: string): void {
  say("digits-shown", words);
  element("digits-gallery", HTMLElement).replaceChildren(...readings.slice(0, most).map(figure));
}

/**
 * @param right how many of each digit were read right, [10]
 * @param known readings with pictures: all, or the misread ones alone
 */
export function showConfusion(right: readonly number[], known: readonly Reading[]): void {
  const body = element("digits-confusion", HTMLTableSectionElement);
  const cells = Array.from({ length: 100 }, (): Reading[] => []);
  for (const each of known) cells[10 * each.label + each.read]?.push(each);
  body.replaceChildren(
    ...right.map((count, label) => {
      const row = document.createElement("tr");
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = String(label);
      row.append(
        head,
        ...Array.from({ length: 10 }, (_, read) =>
          cellOf(label, read, count, cells[10 * label + read] ?? []),
        ),
      );
      return row;
    }),
  );
  const misread = known.filter(({ label, read }) => label !== read);
  const words =
    misread.length === 0
      ? "None is misread."
      : `Misread: ${Math.min(most, misread.length)} of ${misread.length}`;
  showCell(misread, words);
}

function cellOf(label: number, read: number, right: number, here: readonly Reading[]): HTMLTableCellElement {
  const cell = document.createElement("td");
  const [first] = here;
  const count = label === read ? right : here.length;
  if (label === read) cell.className = "right";
  if (!first) {
    cell.textContent = count === 0 ? "" : String(count);
    return cell;
  }
  const button = document.createElement("button");
  button.type = "button";
  const words = `${label} read as ${read}: ${count}`;
  button.ariaLabel = words;
  button.title = words;
  if (label !== read) button.append(picture(first.pixels));
  button.append(String(count));
  button.addEventListener("click", () => showCell(here, words));
  cell.append(button);
  return cell;
}
