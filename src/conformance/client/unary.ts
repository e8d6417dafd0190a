import type { MessageOf, Schema, UnaryMethod } from "../../wire/codec";
import { decodeBytes, encodeInit, type InitOf } from "../../wire/init";
import { ConformanceFailure } from "../failure";
import type { CallEnd, Connection } from "./connection";
import { CODE, EnvelopeReader, envelope, showStatus } from "./grpc";
import type { Waiters } from "./wait";

/** What came of a unary call. */
export interface Reply<Message> extends CallEnd {
  /** `undefined` unless the status is OK. */
  readonly response: Message | undefined;
}

/** What a unary call works with. */
export interface UnaryParts {
  readonly connection: Connection;
  readonly waiters: Waiters;
  readonly patienceMs: number;
}

/** The path of a method. */
export function pathOf(method: UnaryMethod<Schema, Schema>): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** Makes a call and waits for its end, whatever it is. @throws ConformanceFailure if none comes. */
export async function call<I extends Schema, O extends Schema>(
  parts: UnaryParts,
  method: UnaryMethod<I, O>,
  request: InitOf<I>,
): Promise<Reply<MessageOf<O>>> {
  const { end, messages } = await callRaw(parts, pathOf(method), envelope(encodeInit(method.input, request)));
  const [first] = messages;
  return { ...end, response: first === undefined ? undefined : decodeBytes(method.output, first) };
}

/** The same, but only OK will do. @throws ConformanceFailure with the status, if it is another. */
export async function callOk<I extends Schema, O extends Schema>(
  parts: UnaryParts,
  method: UnaryMethod<I, O>,
  request: InitOf<I>,
): Promise<MessageOf<O>> {
  const reply = await call(parts, method, request);
  if (reply.code === CODE.ok && reply.response !== undefined) return reply.response;
  const got = reply.code === CODE.ok ? "OK without a response" : showStatus(reply);
  throw new ConformanceFailure(`${method.name} to succeed`, got);
}

/** Sends these bytes as the whole body of a call and waits for its end. */
export async function callRaw(
  { connection, waiters, patienceMs }: UnaryParts,
  path: string,
  body: Uint8Array,
): Promise<{ readonly end: CallEnd; readonly messages: readonly Uint8Array[] }> {
  const reader = new EnvelopeReader();
  const messages: Uint8Array[] = [];
  let ended: CallEnd | undefined;
  const under = connection.call(path, {
    headers: () => {},
    data: (chunk) => messages.push(...reader.push(chunk).map(({ message }) => message)),
    ended: (end) => {
      ended = end;
      waiters.wake();
    },
  });
  under.write(body);
  under.end();
  const instead = () => "no end";
  const end = await waiters.until(() => ended, { what: `an answer of ${path}`, withinMs: patienceMs, instead });
  return { end, messages };
}
