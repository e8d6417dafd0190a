import type { Frame, Lane } from "../../src/core/frame";
import type { Message } from "../../src/core/message";
import { violate } from "../support/invariants";
import type { World } from "./world";

type Source = "tail" | "page";

/** Checks how delivery frames are filled, and that nothing in them was kept by the session (I11). */
export class FrameOracle {
  readonly #targetBytes: number;
  readonly #world: World;
  /** The delivery frame taken just now, if nothing happened since. */
  #last: { readonly lane: Lane; readonly source: Source; readonly bytes: number } | undefined;

  constructor(targetBytes: number, world: World) {
    this.#targetBytes = targetBytes;
    this.#world = world;
  }

  /** Something happened to the session: what it sends now was perhaps not there before. */
  event(): void {
    this.#last = undefined;
  }

  frame(frame: Frame): void {
    const last = this.#last;
    this.#last = undefined;
    if (frame.kind !== "messages") return;
    const sources = new Set<Source>();
    let bytes = 0;
    for (const message of frame.messages) {
      if (bytes >= this.#targetBytes) violate("R-49 frame", "a frame was filled beyond its target");
      bytes += message.entry.length;
      sources.add(this.#sourceOf(message));
    }
    const [source] = sources;
    if (source === undefined || sources.size > 1) return;
    this.#checkCoalesced(frame.lane === last?.lane && source === last.source ? last.bytes : undefined, frame.messages);
    this.#last = { lane: frame.lane, source, bytes };
  }

  /** What is due goes out in as few frames as the target allows: many tiny frames make clients hang up. */
  #checkCoalesced(bytesBefore: number | undefined, messages: readonly Message[]): void {
    const [first] = messages;
    if (bytesBefore === undefined || first === undefined) return;
    if (bytesBefore + first.entry.length <= this.#targetBytes) {
      violate("R-49 frame", `two frames where one of ${bytesBefore + first.entry.length} bytes would do`);
    }
  }

  /** I11: the session may send what it gets from the tail now, or what lies on a page in its hand; nothing else. */
  #sourceOf(message: Message): Source {
    if (this.#world.tail.handedOut.has(message)) return "tail";
    if (this.#world.replays.lent(message)) return "page";
    return violate("I11", `${message.id} came neither from the tail nor from the page in hand: it was kept`);
  }
}
