/** An app in a page of a headless Chromium. Its arguments: the browser's path, and the page's address. */

import { chromium } from "playwright-core";
import { answerLines, tell } from "./lines.mjs";

const [, , executablePath, address] = process.argv;
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage();
page.on("console", (message) => process.stderr.write(`${message.text()}\n`));
page.on("pageerror", (error) => process.stderr.write(`${error.stack}\n`));
await page.exposeFunction("xmtpTell", tell);
await page.goto(address);
await page.waitForFunction("window.xmtpCall !== undefined");

answerLines((operation, args) => page.evaluate(([name, of]) => window.xmtpCall(name, of), [operation, args]));
