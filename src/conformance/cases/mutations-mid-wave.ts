import { LIVE } from "../../core/frame";
import { casesOf } from "../case";
import { blockedWave } from "./scenes";

export const MUTATIONS_MID_WAVE = casesOf("mutations", [
  {
    id: "remove-mid-wave",
    rules: ["R-25", "R-28", "R-33"],
    promise: "A topic removed in the middle of its wave leaves it; the wave ends over the rest.",
    run: async (node) => {
      const { stream, long, own } = await blockedWave(node);
      stream.mutate(2n, { remove: [long] });
      await node.sleep(50);
      stream.resume();
      await stream.complete(1n);
      await stream.complete(2n);
      stream.expectIds(1n, own, node.idsOf(own));
      await stream.delivered(LIVE, own, await node.publish(own));
    },
  },
  {
    id: "remove-all-mid-wave",
    rules: ["R-29", "R-33"],
    promise: "A wave that lost all its topics is acked all the same.",
    run: async (node) => {
      const { stream, long, own } = await blockedWave(node);
      stream.mutate(2n, { remove: [long, own] });
      await node.sleep(50);
      stream.resume();
      await stream.complete(1n);
      await stream.complete(2n);
    },
  },
  {
    id: "lower-re-add-mid-wave",
    rules: ["R-19", "R-26", "R-29"],
    promise:
      "A lower re-add in the middle of a wave moves the topic to the new wave; both are acked, the gate is the new one's.",
    run: async (node) => {
      const { stream, long, longIds, own } = await blockedWave(node);
      stream.mutate(2n, { add: [long] });
      const during = await node.publish(own, 2);
      await node.sleep(50);
      stream.resume();
      await stream.complete(1n);
      await stream.complete(2n);
      const last = during.at(-1) ?? 0n;
      await stream.until(() => [...stream.idsOf(1n), ...stream.idsOf(LIVE)].includes(last), "the last message");
      stream.expectIds(2n, long, longIds);
    },
  },
  {
    id: "reset-mid-wave",
    rules: ["R-19", "R-23", "R-29"],
    promise: "A reset in the middle of a wave replays the topic in the new wave from the given cursor.",
    run: async (node) => {
      const { stream, long, longIds } = await blockedWave(node);
      const cursor = longIds.at(-3) ?? 0n;
      stream.mutate(2n, { remove: [long], add: [[long, cursor]] });
      await node.sleep(50);
      stream.resume();
      await stream.complete(1n);
      await stream.complete(2n);
      stream.expectIds(2n, long, longIds.slice(-2));
    },
  },
]);
