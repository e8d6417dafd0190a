import { type Figure, measureSeconds, type Question, repeat } from "../support/question";
import { type Cost, validation as measureValidation, type Validation } from "./measure";

export const validation: Question = {
  name: "validation",
  asks: "What does it cost to check what clients publish, before it is stored?",
  run: async ({ effort, runs }) => {
    const seconds = measureSeconds(effort, effort === "full" ? 5 : 1);
    const results = await repeat(runs, () => measureValidation(seconds));
    return [
      figure(
        "identity update: create an inbox, add an installation",
        "both signatures, bare",
        results,
        "identityUpdate",
      ),
      figure("key package of 1.6 KB", "two Ed25519 checks", results, "keyPackage"),
      figure("group message of 1 KiB", "SHA-256 of it", results, "groupMessage"),
    ];
  },
};

function figure(name: string, bare: string, results: readonly Validation[], kind: keyof Validation): Figure {
  const costs: readonly Cost[] = results.map((result) => result[kind]);
  return {
    name,
    unit: "µs",
    values: costs.map(({ microseconds }) => microseconds),
    reference: { name: bare, values: costs.map(({ reference }) => reference) },
    better: "less",
  };
}
