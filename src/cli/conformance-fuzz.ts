import { randomInt } from "node:crypto";
import type { Io } from "../base/process";
import { type FuzzReport, fuzzConformance, showFailure } from "../conformance/fuzz/fuzz";
import { showScript } from "../conformance/fuzz/script";
import { tellLoss } from "./conformance-loss";
import { EXIT, interruptedCode } from "./exit";

export interface FuzzCommand {
  readonly address: string;
  /** How long to look for a failure, in seconds. */
  readonly seconds: number;
  /** Of the first script; chosen at random unless told. */
  readonly seed: number | undefined;
  readonly json: boolean;
}

/** Plays random scripts against a node; returns the exit code. @throws Unreachable */
export async function runFuzz(command: FuzzCommand, io: Io): Promise<number> {
  const { address, seconds, json, seed = randomInt(2 ** 32 - 1) } = command;
  io.stderr.write(`seed ${seed}\n`);
  const report = await fuzzConformance(address, { seconds, seed, signal: io.signal });
  io.stdout.write(`${json ? asJson(report) : asText(report)}\n`);
  if (report.loss !== undefined) return tellLoss(io, address, report.loss);
  if (report.failure !== undefined) return EXIT.failed.code;
  return io.signal.aborted ? interruptedCode(io.signal) : EXIT.ok.code;
}

function asText({ scripts, seed, failure }: FuzzReport): string {
  return failure === undefined ? `${scripts} scripts from seed ${seed}: no rule was broken` : showFailure(failure);
}

function asJson({ scripts, seed, failure, loss }: FuzzReport): string {
  if (failure === undefined) return JSON.stringify({ seed, scripts, loss });
  const { finding, drawnSteps, script } = failure;
  const shown = showScript(script).split("\n");
  return JSON.stringify({
    seed,
    scripts,
    loss,
    failure: { seed: failure.seed, ...finding, drawnSteps, script: shown },
  });
}
