import { expect, it } from "vitest";
import { panelChart } from "../src/charts/charts.ts";
import { drawChart, wideChart } from "../src/charts/vega.ts";

it("writes every digit of a label, however small its number", async () => {
  const points = [0.005, 0.02, 0.9].map((y, x) => ({ x, y, series: "a", kind: "measured" as const }));
  const svg = await drawChart(
    {
      name: "small",
      title: "Small numbers",
      caption: "Ticks below a hundredth.",
      spec: (width) =>
        panelChart(
          {
            points,
            x: { title: "place" },
            y: { title: "value", log: 10 },
            series: { title: "", values: ["a"] },
          },
          width,
        ),
    },
    wideChart,
    "file",
  );
  expect(svg.match(/>0\.005</g)).toHaveLength(1);
  expect(svg.match(/>0\.01</g)).toHaveLength(1);
  // Geometry has two digits at most.
  expect(svg).not.toMatch(/\b(?:d|transform)="[^"]*\.\d{3}/);
});
