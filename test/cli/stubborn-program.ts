import { openProcessIo } from "../../src/base/process";

/** A program that is asked to end and does not. */
await using joined = openProcessIo();
joined.io.signal.addEventListener("abort", () =>
  joined.io.stdout.write(`asked to end by ${joined.io.signal.reason.by}\n`),
);
joined.io.stdout.write("running\n");
await new Promise((resolve) => setTimeout(resolve, 60_000));
