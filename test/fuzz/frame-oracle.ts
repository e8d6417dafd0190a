import { violate } from "../../src/conformance/checker/violation";
import { type Frame, type Lane, LIVE } from "../../src/core/frame";
import type { Message } from "../../src/core/message";
import type { Topic } from "../../src/core/topic";
import type { World } from "./world";

type Source = "tail" | "page";

interface Taken {
  readonly lane: Lane;
  readonly source: Source;
  readonly bytes: number;
}

/** Checks how frames are filled, that lanes take turns, and that nothing was kept by the session (I11). */
export class FrameOracle {
  readonly #targetBytes: number;
  readonly #world: World;
  /** The delivery frames taken one right after the other since anything else happened; the newest is first. */
  #taken: readonly Taken[] = [];

  constructor(targetBytes: number, world: World) {
    this.#targetBytes = targetBytes;
    this.#world = world;
  }

  /** Something happened to the session: what it sends now was perhaps not there before. */
  event(): void {
    this.#taken = [];
  }

  /** A frame was taken, while so many waves are in flight. */
  frame(frame: Frame, waves: number): void {
    const before = this.#taken;
    this.#taken = [];
    if (frame.kind === "topicsLive") this.#checkTopics(frame.topics);
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
    const [last] = before;
    this.#checkCoalesced(frame.lane === last?.lane && source === last.source ? last.bytes : undefined, frame.messages);
    this.#taken = [{ lane: frame.lane, source, bytes }, ...before].slice(0, 3);
    if (waves === 1) checkTurns(this.#taken);
  }

  #checkTopics(topics: readonly Topic[]): void {
    const bytes = topics.slice(0, -1).reduce((sum, topic) => sum + topic.length, 0);
    if (bytes >= this.#targetBytes && topics.length > 1)
      violate("R-49 frame", "a TopicsLive was filled beyond its target");
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

/**
 * a wave that has a page in hand and a live lane that has something due take turns. With a single wave both were
 * there all along: two frames of one and then one of the other means that the other had to wait.
 */
function checkTurns([newest, second, third]: readonly Taken[]): void {
  if (newest === undefined || second === undefined || third === undefined) return;
  if (second.lane !== third.lane || newest.lane === second.lane) return;
  const wave = newest.lane === LIVE ? second : newest;
  if (wave.source === "page") violate("R-18", `lane ${newest.lane} had to wait for two frames of lane ${second.lane}`);
}
