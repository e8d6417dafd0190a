/** Figures as a table of Markdown. */

import { type Figure, median } from "./question";

/** One row a figure: median and range of the runs, the reference's median beside it. */
export function answerTable(figures: readonly Figure[]): string {
  return table(
    ["figure", "median", "from – to", "reference", "ratio", "to reach"],
    figures.map((figure) => {
      const mid = median(measured(figure.values));
      const reference = figure.reference && median(measured(figure.reference.values));
      return [
        figure.name,
        withUnit(mid, figure.unit),
        range(measured(figure.values)),
        figure.reference === undefined || Number.isNaN(reference)
          ? ""
          : `${formatNumber(reference ?? Number.NaN)} (${figure.reference.name})`,
        formatNumber(mid / (reference ?? Number.NaN)),
        figure.reach ?? "",
      ];
    }),
  );
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** What was really measured: neither NaN nor, out of a file, null. */
export function measured(values: readonly (number | null)[]): readonly number[] {
  return values.filter((value): value is number => typeof value === "number" && !Number.isNaN(value));
}

export function withUnit(value: number, unit: string): string {
  return Number.isNaN(value) ? "not measured" : `${formatNumber(value)} ${unit}`.trim();
}

/** Three significant digits, thousands apart; empty for NaN. */
export function formatNumber(value: number): string {
  if (Number.isNaN(value)) return "";
  if (Math.abs(value) < 1_000) return `${Number(value.toPrecision(3))}`;
  return `${Number(value.toPrecision(3))}`.replace(/\B(?=(\d{3})+(?!\d))/g, " ");
}

function range(values: readonly number[]): string {
  if (values.length < 2) return "";
  return `${formatNumber(Math.min(...values))} – ${formatNumber(Math.max(...values))}`;
}
