import { decodeMessage, encodeMessage, type MessageOf, type Schema, type UnaryMethod } from "../../wire/codec";
import { invalidArgument } from "../errors";

/** An RPC with one request and one response, as bytes: what the gRPC port answers itself, without Connect. */
export interface UnaryRpc {
  /** Name for messages: `SendGroupMessages`. */
  readonly name: string;
  /** `/package.Service/Method`. */
  readonly path: string;
  /**
   * Answers an encoded request with the encoded response. The request's bytes must not change until then.
   * @throws ConnectError, StoreError; whatever else it throws is an internal error
   */
  answer(request: Uint8Array): Promise<Uint8Array>;
}

/** The RPC of a method that `call` answers. */
export function unaryRpc<I extends Schema, O extends Schema>(
  method: UnaryMethod<I, O>,
  call: (request: MessageOf<I>) => Promise<MessageOf<O>>,
): UnaryRpc {
  return encodedRpc(method, async (request) => encodeMessage(method.output, await call(request)));
}

/** The RPC of a method whose encoded response `call` answers with. */
export function encodedRpc<I extends Schema, O extends Schema>(
  method: UnaryMethod<I, O>,
  call: (request: MessageOf<I>) => Promise<Uint8Array>,
): UnaryRpc {
  return {
    name: method.name,
    path: `/${method.parent.typeName}/${method.name}`,
    answer: async (bytes) => {
      const decoded = decodeMessage(method.input, bytes);
      if (decoded.kind === "unreadable") throw invalidArgument(decoded.detail);
      return await call(decoded.message);
    },
  };
}
