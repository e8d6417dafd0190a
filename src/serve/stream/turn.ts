/**
 * Work that is done once per turn of the event loop, however often it was asked for.
 *
 * What belongs to one connection is done in a row: Bun gathers what is written to one HTTP/2 session in a
 * buffer, and flushes it when another session is written to. Written in turns, a thousand streams of a
 * hundred connections would cost a thousand system calls; in a row they cost a hundred.
 */

/** Calls back in a later turn, after what is runnable now. */
export type Later = (callback: () => void) => void;

/** What a task that threw is reported to. */
export type OnTaskError = (error: unknown) => void;

/** All tasks of a process. */
export class Turns {
  readonly #later: Later;
  readonly #onError: OnTaskError;
  #due: TurnGroup[] = [];
  #spare: TurnGroup[] = [];
  #scheduled = false;
  /** Who waits for the input that has already arrived. */
  #afterInput: (() => void)[] = [];
  readonly #run = () => this.#flush();

  /** A task that throws harms none of the others; its error goes to `onError`. */
  constructor(onError: OnTaskError, later: Later = setImmediate) {
    this.#onError = onError;
    this.#later = later;
  }

  /** A group of tasks that are done in a row. It costs nothing while none of them is due. */
  group(): TurnGroup {
    return new TurnGroup(this);
  }

  /**
   * Calls back after the input that has already arrived was read and handled: the next turn may still come
   * before the sockets are looked at, the one after it cannot.
   */
  afterInput(callback: () => void): void {
    if (this.#afterInput.push(callback) > 1) return;
    const callbacks = this.#afterInput;
    // Only what is asked for in one go shares its wait: whoever comes later might wait for one turn only.
    queueMicrotask(() => {
      this.#afterInput = [];
    });
    this.#later(() => this.#later(() => this.#callAll(callbacks)));
  }

  /** For groups: something of this group has become due. */
  due(group: TurnGroup): void {
    this.#due.push(group);
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#later(this.#run);
  }

  #callAll(callbacks: readonly (() => void)[]): void {
    for (const callback of callbacks) {
      try {
        callback();
      } catch (error) {
        this.#onError(error);
      }
    }
  }

  #flush(): void {
    const due = this.#due;
    this.#due = this.#spare;
    this.#scheduled = false;
    for (const group of due) group.run(this.#onError);
    due.length = 0;
    this.#spare = due;
  }
}

/** Tasks that are done in a row. */
export class TurnGroup {
  readonly #turns: Turns;
  #due: TurnSlot[] = [];
  #spare: TurnSlot[] = [];

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** A place for one task. */
  slot(task: () => void): TurnSlot {
    return new TurnSlot(this, task);
  }

  /** For slots: this one has become due. */
  add(slot: TurnSlot): void {
    if (this.#due.push(slot) === 1) this.#turns.due(this);
  }

  /** Does what is due now; what becomes due meanwhile waits for the next turn. */
  run(onError: OnTaskError): void {
    const due = this.#due;
    this.#due = this.#spare;
    for (const slot of due) {
      try {
        slot.run();
      } catch (error) {
        onError(error);
      }
    }
    due.length = 0;
    this.#spare = due;
  }
}

/** One task's place. */
export class TurnSlot {
  readonly #group: TurnGroup;
  readonly #task: () => void;
  #marked = false;

  constructor(group: TurnGroup, task: () => void) {
    this.#group = group;
    this.#task = task;
  }

  /** Has the task done once in the next turn. */
  mark(): void {
    if (this.#marked) return;
    this.#marked = true;
    this.#group.add(this);
  }

  /** For the group. A task may mark itself again. */
  run(): void {
    this.#marked = false;
    this.#task();
  }
}
