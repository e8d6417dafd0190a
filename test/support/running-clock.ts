import { VirtualClock } from "./virtual-clock";

const TICK_MS = 10;

/**
 * Time in which this process was running: between two looks it passes by a tick at most, however long the machine had other things
 * to do. For tests that wait in vain on purpose, with both sides in one process: what is only late is late for both.
 */
export class RunningClock extends VirtualClock implements Disposable {
  readonly #ticking = setInterval(() => this.advance(TICK_MS), TICK_MS);

  [Symbol.dispose](): void {
    clearInterval(this.#ticking);
  }
}
