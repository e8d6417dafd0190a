/** Lets one waiter sleep until something has happened. What happens while nobody waits is not forgotten. */
export class Bell {
  #rung = false;
  #wake: (() => void) | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Resolves at once if it was rung since the last wait. */
  async wait(): Promise<void> {
    while (!this.#rung) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#rung = false;
  }
}
