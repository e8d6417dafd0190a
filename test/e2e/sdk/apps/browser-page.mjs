/** An app on the browser SDK, in a page. browser-app.mjs, which has opened the page, passes on what it is told. */

import * as sdk from "@xmtp/browser-sdk";
import { operationsOf } from "./operations.mjs";

const operations = operationsOf(sdk, (event) => window.xmtpTell(event));

window.xmtpCall = (operation, args) => operations[operation](args);
