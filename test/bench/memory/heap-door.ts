/** Put before a node by `--preload`: has its heap looked into through a unix socket, see heap.ts. */

import { heapStats } from "bun:jsc";
import { rmSync } from "node:fs";
import { COLLECTED, type Heap, heapSocket } from "./heap";

const socket = heapSocket(process.pid);
Bun.serve({
  unix: socket,
  fetch: (request) => {
    if (new URL(request.url).pathname === COLLECTED) Bun.gc(true);
    const heap: Heap = { heapBytes: heapStats().heapSize, bufferBytes: process.memoryUsage().arrayBuffers };
    return Response.json(heap);
  },
}).unref();
process.on("exit", () => rmSync(socket, { force: true }));
