/** Looks into the heap of a node that was started with {@link HEAP_DOOR} before it. */

import { tmpdir } from "node:os";
import { join } from "node:path";

/** What bun preloads. */
export const HEAP_DOOR = join(import.meta.dir, "heap-door.ts");

/** Where it listens. */
export function heapSocket(pid: number): string {
  return join(tmpdir(), `tideline-heap-${pid}.sock`);
}

/** Path that is asked for to have garbage collected first. */
export const COLLECTED = "/collected";

/** What the collector answers for. */
export interface Heap {
  /** Objects, and what they hold outside of the heap. */
  readonly heapBytes: number;
  /** Of it, what lies in buffers. */
  readonly bufferBytes: number;
}

/** The heap as it is. */
export function heapOf(pid: number): Promise<Heap> {
  return ask(pid, "/");
}

/** The heap without garbage. A collection halts the node for a moment. */
export function collectedHeapOf(pid: number): Promise<Heap> {
  return ask(pid, COLLECTED);
}

async function ask(pid: number, path: string): Promise<Heap> {
  const response = await fetch(`http://node${path}`, { unix: heapSocket(pid) });
  if (!response.ok) throw new Error(`the heap of process ${pid} could not be looked into: ${response.status}`);
  return JSON.parse(await response.text());
}
