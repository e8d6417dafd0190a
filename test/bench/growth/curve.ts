/** How a cost grows: measured points, and the power of x that they follow. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Curve {
  readonly name: string;
  /** What grows, with its unit if it has one. */
  readonly x: string;
  /** What it costs, with its unit. */
  readonly y: string;
  /** Ascending in x; x and y above 0. */
  readonly points: readonly Point[];
}

/** y = factor * x ^ exponent, least squares on logarithms. */
export interface Power {
  readonly exponent: number;
  readonly factor: number;
}

/** Where a curve changes its power: two powers that meet near `x` and describe it much better than one. */
export interface Bend {
  readonly x: number;
  readonly before: number;
  readonly after: number;
}

/** Exponents that differ by less than this are taken for the same. */
const LEAST_BEND = 0.25;

/** @throws RangeError for fewer than two points, or one that is not above 0. */
export function fitPower(points: readonly Point[]): Power {
  return fit(points).power;
}

/**
 * Finds the point at which a curve is best split into two straight lines on logarithmic axes, both through that
 * point's neighbourhood. `undefined` when there are fewer than four points or the two slopes are about the same.
 */
export function findBend(points: readonly Point[]): Bend | undefined {
  let best: { readonly error: number; readonly bend: Bend } | undefined;
  for (let at = 1; at < points.length - 1 && points.length >= 4; at++) {
    const left = fit(points.slice(0, at + 1));
    const right = fit(points.slice(at));
    const error = left.error + right.error;
    const bend = { x: points[at]?.x ?? Number.NaN, before: left.power.exponent, after: right.power.exponent };
    if (best === undefined || error < best.error) best = { error, bend };
  }
  if (best === undefined || Math.abs(best.bend.after - best.bend.before) < LEAST_BEND) return undefined;
  return best.bend;
}

/** In one sentence, for the reader of a plot. */
export function describeGrowth(points: readonly Point[]): string {
  const { exponent } = fitPower(points);
  const bend = findBend(points);
  const whole = `It grows with the power ${exponent.toFixed(2)}`;
  if (bend === undefined) return `${whole}, and does not bend.`;
  return `${whole}; it bends near ${bend.x}, from ${bend.before.toFixed(2)} to ${bend.after.toFixed(2)}.`;
}

function fit(points: readonly Point[]): { readonly power: Power; readonly error: number } {
  if (points.length < 2) throw new RangeError(`a power wants at least 2 points, found ${points.length}`);
  if (points.some(({ x, y }) => !(x > 0 && y > 0))) throw new RangeError("a power wants points above 0 in x and y");
  const logs = points.map(({ x, y }) => ({ x: Math.log(x), y: Math.log(y) }));
  const meanX = mean(logs.map(({ x }) => x));
  const meanY = mean(logs.map(({ y }) => y));
  const exponent =
    mean(logs.map(({ x, y }) => (x - meanX) * (y - meanY))) / mean(logs.map(({ x }) => (x - meanX) ** 2));
  const error = logs.reduce((sum, { x, y }) => sum + (y - meanY - exponent * (x - meanX)) ** 2, 0);
  return { power: { exponent, factor: Math.exp(meanY - exponent * meanX) }, error };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
