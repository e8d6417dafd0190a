/** The account of a drill: what was published, what is stored, and what every stream was given. */

import type { Ledger } from "./ledger";
import type { Reading } from "./reading";

const MAX_EXAMPLES = 5;

/**
 * What is wrong with what is stored, as a fresh reader from 0 got it: everything that was acked is there, nothing
 * that was refused, and what one publisher was acked one after the other has ascending ids in each topic.
 */
export function faultsOfStored(ledger: Ledger, stored: Reading): readonly string[] {
  const lost: number[] = [];
  const risen: number[] = [];
  const disordered: number[] = [];
  const last = new Map<string, number>();
  for (let n = 0; n < ledger.length; n++) {
    const id = stored.idOf(n);
    const fate = ledger.fateOf(n);
    if (fate === "refused" && id !== 0) risen.push(n);
    if (fate !== "acked") continue;
    if (id === 0) {
      lost.push(n);
      continue;
    }
    const key = `${ledger.publisherOf(n)}/${ledger.topicOf(n)}`;
    if (id <= (last.get(key) ?? 0)) disordered.push(n);
    last.set(key, id);
  }
  return [
    ...stored.faults,
    ...words(lost, "acked and lost"),
    ...words(risen, "refused and stored"),
    ...words(disordered, "acked in order and stored out of order"),
  ];
}

/** In what a stream differs from what is stored in its topics: it has to have all of that, and nothing else. */
export function faultsOfStream(ledger: Ledger, stored: Reading, stream: Reading): readonly string[] {
  const missing: number[] = [];
  const other: number[] = [];
  for (let n = 0; n < ledger.length; n++) {
    const topic = ledger.topicOf(n);
    if (topic === undefined || !stream.topics.has(topic)) continue;
    const want = stored.idOf(n);
    const got = stream.idOf(n);
    if (want === got) continue;
    if (got === 0) missing.push(n);
    else other.push(n);
  }
  return [
    ...stream.faults,
    ...words(missing, `stored and not delivered to ${stream.name}`),
    ...words(other, `delivered to ${stream.name} and not stored like that`),
  ];
}

/** How many of the stored messages a stream has to get. */
export function wantedOf(ledger: Ledger, stored: Reading, stream: Reading): number {
  let wanted = 0;
  for (let n = 0; n < ledger.length; n++) {
    const topic = ledger.topicOf(n);
    if (topic !== undefined && stream.topics.has(topic) && stored.idOf(n) !== 0) wanted += 1;
  }
  return wanted;
}

function words(numbers: readonly number[], what: string): readonly string[] {
  if (numbers.length === 0) return [];
  return [`${numbers.length} ${what}: messages ${numbers.slice(0, MAX_EXAMPLES).join(", ")}`];
}
