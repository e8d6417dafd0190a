/** Every question that the benchmarks answer, in the order in which they are asked. */

import { latency } from "./latency/question";
import { live } from "./live/question";
import { publish } from "./publish/question";
import { query } from "./query/question";
import type { Question } from "./support/question";

export const QUESTIONS: readonly Question[] = [live, latency, publish, query];
