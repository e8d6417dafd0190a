import type { Row } from "../truth";

/** A broken rule, found from outside. Its message begins with the rule's or the invariant's number. */
export class Violation extends Error {
  readonly rule: string;
  constructor(rule: string, found: string) {
    super(`${rule}: ${found}`);
    this.name = "Violation";
    this.rule = rule;
  }
}

/** Ends the check: `rule` was broken, as `found` tells. */
export function violate(rule: string, found: string): never {
  throw new Violation(rule, found);
}

/** A message as people read it: its id, then its topic. */
export function nameOf(row: Row): string {
  return `${row.id} of ${show(row.topic)}`;
}

/** A topic as people read it: its kind, then its identifier. */
export function show(topic: string): string {
  return topic === "" ? '""' : `${topic.charCodeAt(0) === 0 ? "group" : "welcome"}:${JSON.stringify(topic.slice(1))}`;
}
