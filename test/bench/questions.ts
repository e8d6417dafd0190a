/** Every question that the benchmarks answer, in the order in which they are asked. */

import { catchup } from "./catchup/question";
import { idle } from "./idle/question";
import { latency } from "./latency/question";
import { live } from "./live/question";
import { memory } from "./memory/question";
import { mutate } from "./mutate/question";
import { publish } from "./publish/question";
import { query } from "./query/question";
import { storm } from "./storm/question";
import type { Question } from "./support/question";
import { validation } from "./validation/question";

export const QUESTIONS: readonly Question[] = [
  live,
  latency,
  publish,
  query,
  catchup,
  storm,
  memory,
  idle,
  mutate,
  validation,
];
