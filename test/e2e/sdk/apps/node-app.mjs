/** An app in Node. Its argument is the module of the SDK that it uses. */

import { answerLines, tell } from "./lines.mjs";
import { operationsOf } from "./operations.mjs";

const [, , sdk] = process.argv;
const operations = operationsOf(await import(sdk), tell);

answerLines((operation, args) => operations[operation](args));
