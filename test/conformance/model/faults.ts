/**
 * The ways in which the model can be broken, one sentence each. Every one of them is a mistake that a server could
 * really make, and every one is caught: see broken.h2.test.ts.
 */
export const FAULTS = {
  // Opening.
  "started-waits-for-a-request": "Nothing is said before the first request, neither headers nor Started.",
  "unknown-request-refused": "V1 with a request type from the future ends the stream.",
  "unknown-version-ignored": "A request without a known version is passed over.",
  // Topics and cursors.
  "cursor-inclusive": "The message at the cursor is delivered too.",
  "future-cursor-forgotten": "A cursor above the newest id does not hold back live messages.",
  "highest-add-wins": "Of several adds of a topic the highest cursor wins.",
  "unknown-kind-accepted": "A topic of an unknown kind is subscribed to like any other.",
  "cursor-beyond-63-bits-accepted": "A cursor above 2^63-1 is taken.",
  // Ids and acks.
  "zero-id-accepted": "Adds with mutate_id 0 start a wave like any other.",
  "id-in-flight-accepted": "A Mutate may have the id of a wave that is under way.",
  "removes-only-unacked": "A Mutate that only removes gets no CatchupComplete.",
  "ack-twice": "Every immediate ack is sent twice.",
  "acks-newest-first": "Immediate acks that are due together come in the wrong order.",
  "acks-behind-waves": "An immediate ack waits until no wave is under way.",
  // Waves, order, seam.
  "topic-by-topic": "A wave is one topic after the other.",
  "wave-descends": "A wave begins with the newest message.",
  "wave-loses-its-last": "The last message of a page of history is left out.",
  "wave-under-another-tag": "Frames of all waves carry the tag of the wave begun last.",
  "fold-untagged": "What arrives for a topic in the middle of its wave is sent live at once.",
  "seam-gap": "What arrives for a topic in the middle of its wave is lost.",
  "seam-duplicate": "The last message of a wave comes again, live.",
  "live-behind-waves": "No live message is sent while a wave is under way.",
  "live-disordered": "Live messages that are due together come newest first.",
  "live-tagged": "Live messages carry the tag of the Mutate that subscribed them.",
  "one-mark-for-both-kinds": "Welcomes are held against the newest group id, and the other way round.",
  "topics-live-late": "TopicsLive comes after CatchupComplete.",
  "topics-live-missing": "No TopicsLive is sent.",
  // Mutations.
  "remove-leaks-live": "A removed topic is still delivered live.",
  "removed-stays-in-wave": "A topic that is removed in the middle of its wave is replayed to the end.",
  "wave-without-topics-unacked": "A wave that lost all its topics is forgotten.",
  "floor-outlives-remove": "A topic that was removed remembers what was delivered.",
  "adds-before-removes": "Adds are applied before removes.",
  "lower-re-add-ignored": "Adding a subscribed topic below its floor changes nothing.",
  "no-op-re-add-replays": "Adding a subscribed topic again starts a wave even at or above its floor.",
  "mutate-applied-in-part": "Good topics of a Mutate are applied before a bad one refuses it.",
  // history_only.
  "history-goes-live": "A history_only Mutate subscribes like any other.",
  "history-unpinned": "What arrives in the middle of a history_only wave is delivered in it.",
  "history-of-subscribed-accepted": "history_only takes topics that are subscribed or being replayed.",
  // Liveness, half-close.
  "pings-unanswered": "No Ping of the client is answered.",
  "pong-of-another-nonce": "Pongs carry the nonce plus one.",
  "never-pings": "A silent stream is not pinged.",
  "received-frames-postpone-pings": "What the client sends counts as a sign of life.",
  "reaps-although-answered": "A stream is reaped one interval after a Ping, whatever was answered.",
  "never-reaps": "A client that answers no Ping keeps its stream.",
  "any-pong-counts": "A Pong with any nonce answers the Ping.",
  "half-close-drops-acks": "A half-close ends the stream at once, whatever is owed.",
  "half-close-never-ends": "A half-closed stream with nothing left to say stays open.",
  "half-close-ends-live": "After a half-close no live message is sent.",
  // Limits.
  "no-limits": "Nothing is ever too much.",
  "tight-waves": "More than ten waves at once are refused.",
  // Unary RPCs, identities and legacy streams.
  "page-cursor-inclusive": "The row at a page's cursor is on the page.",
  "page-cursor-always": "A page that is not full names a cursor all the same.",
  "pages-ascend-by-default": "A query without a direction ascends.",
  "acked-before-stored": "A publish is answered 50 ms before its messages are stored.",
  "duplicates-stored": "A message that is published again is stored again.",
  "part-of-a-request-stored": "The good messages of a refused request are stored.",
  "newest-out-of-place": "GetNewestGroupMessage leaves out what it does not find.",
  "commits-unmarked": "is_commit is never set.",
  "unimplemented-in-trailers": "UNIMPLEMENTED comes in trailers of their own.",
  "unknown-left-out": "Answers that have a place each leave out what nobody knows.",
  "any-key-package-accepted": "Any bytes are taken for a key package.",
  "forged-inboxes-accepted": "Identity updates are stored without a look at their signatures.",
  "commit-logs-unlimited": "Any number of commit logs is written and read at once.",
  "verdicts-without-a-block": "Verdicts on contract wallets do not say at which block.",
  "legacy-headers-late": "The headers of a legacy stream come with its first message.",
  "legacy-without-history": "A legacy stream begins live.",
} as const;

export type Fault = keyof typeof FAULTS;

/** What is broken in one model; nothing, as a rule. */
export type Broken = (fault: Fault) => boolean;

export const UNBROKEN: Broken = () => false;

/** Breaks these only. */
export function brokenBy(...faults: readonly Fault[]): Broken {
  const chosen = new Set(faults);
  return (fault) => chosen.has(fault);
}
