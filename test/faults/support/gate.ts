/** Open, or closed for whoever comes by. */
export class Gate {
  #opened: PromiseWithResolvers<void> | undefined;

  close(): void {
    this.#opened ??= Promise.withResolvers<void>();
  }

  open(): void {
    this.#opened?.resolve();
    this.#opened = undefined;
  }

  /** Resolves when the gate is open. */
  async passed(): Promise<void> {
    await this.#opened?.promise;
  }
}
