import type { Frame } from "../../src/core/frame";
import type { SessionAccount } from "../../src/core/session/account";

/** Holds a session's account against what it delivered, and its parts against each other. */
export class AccountAudit {
  #live = 0;
  #wave = 0;
  #frames = 0;

  /** A frame was taken. */
  frame(frame: Frame): void {
    this.#frames++;
    if (frame.kind !== "messages") return;
    if (frame.lane === 0n) this.#live += frame.messages.length;
    else this.#wave += frame.messages.length;
  }

  /** To be called after every step. @throws Error that shows both sides of what does not hold. */
  check(account: SessionAccount): void {
    const { offers, storeRows, wavesBegun } = account;
    const { liveMessages, foldedMessages, waveMessages, healedMessages } = account;
    const { unwantedOffers, rereadOffers, dueOffsets, heldOffsets, unwantedRows, rowsInHand } = account;
    const sides = {
      offers: [offers, liveMessages + foldedMessages + unwantedOffers + rereadOffers + dueOffsets + heldOffsets],
      storeRows: [storeRows, waveMessages - foldedMessages + healedMessages + unwantedRows + rowsInHand],
      wavesBegun: [wavesBegun, account.wavesComplete + account.waves],
      "messages delivered live": [this.#live, liveMessages + healedMessages],
      "messages delivered in waves": [this.#wave, waveMessages],
      frames: [this.#frames, account.frames],
    };
    for (const [what, [left, right]] of Object.entries(sides)) {
      if (left !== right) throw new Error(`account: ${what}: ${left}, but its parts give ${right}: ${show(account)}`);
    }
  }
}

function show(account: SessionAccount): string {
  return JSON.stringify(account);
}
