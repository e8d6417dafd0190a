import { expect, test } from "bun:test";
import { MAX_CURSOR } from "../../../src/core/limits";
import { group, SessionRig } from "./rig";

const A = group("a");

for (const floor of [1n, (1n << 53n) - 1n, 1n << 53n, (1n << 53n) + 1n, MAX_CURSOR]) {
  test(`a floor of ${floor} is kept exactly: the same cursor changes nothing, one below replays (R-8, R-26, R-27)`, () => {
    const rig = new SessionRig();
    rig.add(1n, [A], floor);
    rig.settle();
    rig.add(2n, [A], floor);
    expect(rig.session.account.wavesBegun).toBe(1);
    rig.add(3n, [A], floor - 1n);
    expect(rig.session.account.wavesBegun).toBe(2);
    expect([...rig.replays.values()].at(-1)?.scope.floors).toEqual([floor - 1n]);
  });
}
