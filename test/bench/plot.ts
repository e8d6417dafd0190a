/** Draws a curve as an SVG that stands for itself: no font, script or style from outside, legible on light and dark. */

import { type Curve, fitPower, type Point } from "./growth/curve";
import { formatNumber } from "./support/table";

const WIDTH = 640;
const HEIGHT = 400;
const LEFT = 84;
const RIGHT = 24;
const TOP = 48;
const BOTTOM = 56;

const STYLE = `
  text { font: 12px system-ui, sans-serif; fill: #333 }
  .title { font-size: 15px; font-weight: 600 }
  .grid { stroke: #ccc; stroke-width: 1 }
  .fit { stroke: #999; stroke-width: 1.5; stroke-dasharray: 5 4; fill: none }
  .line { stroke: #0b6bcb; stroke-width: 2; fill: none }
  .point { fill: #0b6bcb }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd }
    .grid { stroke: #444 }
    .fit { stroke: #888 }
    .line { stroke: #6cb6ff }
    .point { fill: #6cb6ff }
  }`;

/** Places a value on an axis of powers of ten, in pixels. */
type Scale = (value: number) => number;

/** Both axes are logarithmic, so a power is a straight line; the dashed one is the power that fits best. */
export function plotCurve(curve: Curve): string {
  const { points } = curve;
  const { exponent, factor } = fitPower(points);
  const fitted = points.map(({ x }) => ({ x, y: factor * x ** exponent }));
  const xs = decades(points.map(({ x }) => x));
  const ys = decades([...points, ...fitted].map(({ y }) => y));
  const x = scale(xs, LEFT, WIDTH - RIGHT);
  const y = scale(ys, HEIGHT - BOTTOM, TOP);
  const place = ({ x: px, y: py }: Point) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeXml(curve.name)}">`,
    `<style>${STYLE}\n</style>`,
    `<text class="title" x="${LEFT}" y="22">${escapeXml(curve.name)}</text>`,
    `<text x="${LEFT}" y="39">${escapeXml(curve.y)}, power ${exponent.toFixed(2)}</text>`,
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 14}" text-anchor="middle">${escapeXml(curve.x)}</text>`,
    ...xs.map((tick) => xTick(tick, x(tick))),
    ...ys.map((tick) => yTick(tick, y(tick))),
    `<polyline class="fit" points="${fitted.map(place).join(" ")}"/>`,
    `<polyline class="line" points="${points.map(place).join(" ")}"/>`,
    ...points.map((point) => mark(point, x(point.x), y(point.y))),
    "</svg>\n",
  ].join("\n");
}

/** The powers of ten from the one at or below all values to the one at or above them: at least two. */
function decades(values: readonly number[]): readonly number[] {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
}

function scale(ticks: readonly number[], from: number, to: number): Scale {
  const low = Math.log10(ticks[0] ?? 1);
  const high = Math.log10(ticks.at(-1) ?? 10);
  return (value) => from + ((Math.log10(value) - low) / (high - low)) * (to - from);
}

function xTick(value: number, at: number): string {
  const line = `<line class="grid" x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"/>`;
  return `${line}<text x="${at.toFixed(1)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${formatNumber(value)}</text>`;
}

function yTick(value: number, at: number): string {
  const line = `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at.toFixed(1)}" y2="${at.toFixed(1)}"/>`;
  return `${line}<text x="${LEFT - 8}" y="${(at + 4).toFixed(1)}" text-anchor="end">${formatNumber(value)}</text>`;
}

/** A point says its value when one rests on it. */
function mark({ x, y }: Point, cx: number, cy: number): string {
  const title = `<title>${formatNumber(x)}: ${formatNumber(y)}</title>`;
  return `<circle class="point" cx="${cx.toFixed(1)}" cy="${cy.toFixed(1)}" r="4">${title}</circle>`;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
