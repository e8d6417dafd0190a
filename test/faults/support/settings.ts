/** What whoever runs the fault tests can set. */

/** `FAULTS_SCALE`: factor on rates and on how often a fault is repeated. Default 1. */
const SCALE = positive("FAULTS_SCALE", 1);

/** A rate or a count of a fault test, by {@link SCALE}; at least 1. */
export function scaled(count: number): number {
  return Math.max(1, Math.round(count * SCALE));
}

/** `FAULTS_SEED`, or one by chance. */
export function chooseSeed(): number {
  return positive("FAULTS_SEED", crypto.getRandomValues(new Uint32Array(1))[0] ?? 1) >>> 0;
}

function positive(name: string, otherwise: number): number {
  const text = process.env[name];
  if (text === undefined || text === "") return otherwise;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${name} is a number above 0; got ${JSON.stringify(text)}`);
  return value;
}
