/** One fault that the fuzzer must find: a piece of the core's text, replaced. */
export interface Mutant {
  /** What it breaks, in words. */
  readonly breaks: string;
  /** Relative to src/core. */
  readonly file: string;
  /** Each occurs exactly once in the file. */
  readonly edits: readonly { readonly search: string; readonly replacement: string }[];
  /** A seed that kills it; the search begins here. */
  readonly seed: number;
  /** The rule under which that seed reports it. */
  readonly rule: string;
}

/** A mutant of one edit. */
function mutant(
  about: { readonly breaks: string; readonly file: string; readonly seed: number; readonly rule: string },
  search: string,
  replacement: string,
): Mutant {
  return { ...about, edits: [{ search, replacement }] };
}

const SESSION = "session/session.ts";
const WAVE = "session/wave.ts";
const LIVE = "session/live.ts";
const MUTATE = "session/mutate.ts";
const REGISTRATIONS = "session/registrations.ts";

export const MUTANTS: readonly Mutant[] = [
  mutant(
    {
      breaks: "what came before a reset is delivered live into the new wave",
      file: REGISTRATIONS,
      seed: 1,
      rule: "I4",
    },
    'return typeof entry === "bigint" && id > entry;',
    "return entry instanceof Gated && id > entry.floor;",
  ),
  mutant(
    { breaks: "arrivals of a gated topic go to the live lane instead of its wave", file: SESSION, seed: 3, rule: "I1" },
    "else wave.hold(offset);",
    "else this.#live.offer(offset);",
  ),
  mutant(
    {
      breaks: "a full list of due offsets drops an offset instead of lagging",
      file: "session/offsets.ts",
      seed: 10,
      rule: "I1",
    },
    "if (this.length >= this.#max) return false;",
    "if (this.length >= this.#max) return true;",
  ),
  mutant(
    { breaks: "a due message that has left the tail is skipped instead of healed", file: LIVE, seed: 26, rule: "I1" },
    "        this.lose();\n        break;",
    "        this.#due.shift();\n        continue;",
  ),
  mutant(
    { breaks: "what a wave still holds when its gate opens is forgotten", file: WAVE, seed: 4, rule: "I1" },
    "else live.join(this.#held);",
    "",
  ),
  mutant(
    { breaks: "the higher of two cursors wins among duplicate adds", file: MUTATE, seed: 1, rule: "I1" },
    "if (cursor < known) joins.set(topic, cursor);",
    "if (cursor > known) joins.set(topic, cursor);",
  ),
  mutant(
    { breaks: "history_only reads without the fresh look", file: WAVE, seed: 12, rule: "I1" },
    'if (this.historyOnly) this.#shared.outbox.push({ kind: "look", replay });\n    else this.#scan',
    "this.#scan",
  ),
  mutant(
    { breaks: "the floor does not rise with deliveries", file: REGISTRATIONS, seed: 3, rule: "I2" },
    "this.#entries.set(topic, lean(id));",
    "this.#entries.set(topic, lean(id - 1n));",
  ),
  mutant(
    { breaks: "live deliveries pass a wave that is folding", file: SESSION, seed: 138, rule: "I1" },
    "bound = Math.min(bound, wave.liveBound ?? bound);",
    "bound = Math.min(bound, wave.isAnnounced ? 0 : bound);",
  ),
  mutant(
    { breaks: "held offsets join the live lane out of order", file: "session/offsets.ts", seed: 138, rule: "I3" },
    "ours.concat(theirs).sort((a, b) => a - b)",
    "ours.concat(theirs)",
  ),
  mutant(
    { breaks: "folded messages are tagged as live", file: WAVE, seed: 4, rule: "I4" },
    "return batch.frame(this.mutateId);",
    'return this.#state.kind === "folding" ? batch.frame(0n) : batch.frame(this.mutateId);',
  ),
  mutant(
    { breaks: "a wave delivers topics that have left it", file: REGISTRATIONS, seed: 8, rule: "I6" },
    "return entry instanceof Gated && entry.wave === wave && id > entry.floor;",
    "return entry !== undefined && id > (entry instanceof Gated ? entry.floor : entry);",
  ),
  mutant(
    { breaks: "cursors count as inclusive", file: REGISTRATIONS, seed: 1, rule: "I5" },
    "new Gated(cursor, wave)",
    "new Gated(cursor - 1n, wave)",
  ),
  mutant(
    { breaks: "the last topic that a limit allows is refused", file: MUTATE, seed: 3, rule: "I7" },
    "if (topics > limits.topics)",
    "if (topics >= limits.topics)",
  ),
  mutant(
    { breaks: "Pongs that wait for the wire leave in the wrong order", file: SESSION, seed: 8, rule: "R-44" },
    "const pong = this.#pongs.shift();",
    "const pong = this.#pongs.pop();",
  ),
  mutant(
    {
      breaks: "an invalid topic among the adds is left out instead of refusing the Mutate",
      file: MUTATE,
      seed: 1,
      rule: "R-6",
    },
    'if (!isTopic(topic)) return badTopic(topic, "adds");',
    "if (!isTopic(topic)) continue;",
  ),
  mutant(
    { breaks: "adds are accepted under id 0", file: MUTATE, seed: 46, rule: "R-12" },
    "if (mutate.adds.length > 0 && mutate.id === 0n)",
    "if (mutate.adds.length > limits.addsPerMutate)",
  ),
  mutant(
    { breaks: "the id of a wave in flight may be used again", file: MUTATE, seed: 7, rule: "R-13" },
    "if (waves.has(mutate.id)) {",
    "if (waves.has(-1n)) {",
  ),
  mutant(
    { breaks: "a re-add at the floor starts a wave", file: MUTATE, seed: 29, rule: "R-27" },
    "if (cursor < floor) joins.set(topic, cursor);",
    "if (cursor <= floor) joins.set(topic, cursor);",
  ),
  mutant(
    { breaks: "a topic removed and added in one Mutate keeps its floor", file: MUTATE, seed: 1, rule: "I1" },
    "const floor = removes.has(topic) ? undefined : registrations.floorOf(topic);",
    "const floor = registrations.floorOf(topic);",
  ),
  mutant(
    { breaks: "a wave that lost its last topic never acks", file: WAVE, seed: 3, rule: "I8" },
    '    this.#state = { kind: "announced", next: this.#topics.length };',
    "",
  ),
  mutant(
    { breaks: "acks that wait for the wire leave in the wrong order", file: SESSION, seed: 1, rule: "R-34" },
    "const ack = this.#acks.shift();",
    "const ack = this.#acks.pop();",
  ),
  mutant(
    { breaks: "TopicsLive lists topics that have left the wave", file: WAVE, seed: 18, rule: "R-27" },
    "if (topic === undefined || !this.#has(topic)) continue;",
    "if (topic === undefined) continue;",
  ),
  mutant(
    { breaks: "topics of a history_only Mutate stay registered", file: WAVE, seed: 29, rule: "I1" },
    "if (this.historyOnly) for (const topic of this.#ownTopics()) registrations.remove(topic);\n    else registrations.goLive",
    "registrations.goLive",
  ),
  mutant(
    { breaks: "a removed topic stays watched when it was in a wave", file: MUTATE, seed: 1, rule: "R-25" },
    "if (unwatched.length > 0) outbox.push",
    "if (unwatched.length > 1) outbox.push",
  ),
  mutant(
    { breaks: "pages of cancelled and older replays are taken in", file: WAVE, seed: 1, rule: "I1" },
    'return this.#state.kind === "scanning" && this.#state.scan.replay === replay ? this.#state.scan : undefined;',
    'return this.#state.kind === "scanning" ? this.#state.scan : undefined;',
  ),
  mutant(
    { breaks: "any Pong, also one with a wrong nonce, saves the peer", file: "liveness.ts", seed: 218, rule: "R-43" },
    'if (this.#state.kind === "asked" && this.#state.nonce === nonce)',
    'if (this.#state.kind === "asked")',
  ),
  mutant(
    { breaks: "a Pong gets half of its allowance", file: "liveness.ts", seed: 16, rule: "I10" },
    "until: now + this.#pongMs",
    "until: now + this.#pongMs / 2",
  ),
  mutant(
    { breaks: "frames do not postpone the next Ping", file: "liveness.ts", seed: 3, rule: "R-42" },
    "  sent(now: Millis): void {\n    this.#idleAt = now",
    "  sent(now: Millis): void {\n    if (now >= this.#idleAt) this.#idleAt = now",
  ),
  mutant(
    { breaks: "a half-closed peer is still pinged and reaped", file: "liveness.ts", seed: 22, rule: "R-45" },
    '    this.#state = { kind: "off" };',
    "",
  ),
  mutant(
    { breaks: "a half-closed stream ends without waiting for its waves", file: SESSION, seed: 14, rule: "R-45" },
    "|| this.#acks.length > 0 || this.#waves.size > 0) return;",
    "|| this.#acks.length > 0) return;",
  ),
  mutant(
    { breaks: "a session that is over still takes events in", file: SESSION, seed: 6, rule: "I12" },
    '    if (this.#stream.kind === "over") return;\n    switch (event.kind) {',
    "    switch (event.kind) {",
  ),
  mutant(
    { breaks: "frames are filled beyond their target", file: "session/shared.ts", seed: 7, rule: "R-49 frame" },
    "return this.messages.length === 0 || this.bytes + message.entry.length <= this.#targetBytes;",
    "return this.messages.length === 0 || this.bytes <= this.#targetBytes * 2;",
  ),
  mutant(
    { breaks: "the end of a stream is told to nobody", file: SESSION, seed: 1, rule: "I12" },
    'this.#shared.outbox.push({ kind: "close", close });',
    "",
  ),
  mutant(
    { breaks: "live waits until a wave has used up its page", file: SESSION, seed: 109, rule: "R-18" },
    "      this.#liveIsNext = true;",
    "",
  ),
  mutant(
    { breaks: "every live message is read from the store", file: "session/offsets.ts", seed: 9, rule: "I11" },
    "this.#items.push(offset);\n    return true;",
    "return false;",
  ),
  mutant(
    { breaks: "all Pings carry one nonce, so that a stale Pong counts", file: "liveness.ts", seed: 1, rule: "R-43" },
    "this.#nonce = BigInt.asUintN(64, nonce + 1n);",
    "",
  ),
  mutant(
    { breaks: "a wave that waits for a healing to begin waits for its page", file: SESSION, seed: 55, rule: "seam" },
    "return this.#healIfLagging() && frame === undefined ? this.#nextInTurn() : frame;",
    "this.#healIfLagging();\n    return frame;",
  ),
  {
    breaks: "the live lane keeps messages instead of offsets",
    file: LIVE,
    edits: [
      {
        search: "  offer(offset: Offset): void {\n",
        replacement: "  offer(offset: Offset): void {\n    KEPT.set(offset, this.#shared.tail.get(offset));\n",
      },
      {
        search: "const message = this.#shared.tail.get(offset);",
        replacement: "const message = KEPT.get(offset) ?? this.#shared.tail.get(offset);",
      },
      { search: "type LiveState =", replacement: "const KEPT = new Map();\n\ntype LiveState =" },
    ],
    seed: 4,
    rule: "I11",
  },
];
