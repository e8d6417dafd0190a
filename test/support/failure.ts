import { Code, ConnectError } from "@connectrpc/connect";

/** The error of a call, which must fail. */
export async function callError(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ConnectError) return error;
    throw error;
  }
  throw new Error("the call went well");
}

/** With what a call failed: the code's name and the words. */
export async function failure(call: Promise<unknown>): Promise<readonly [code: string, words: string]> {
  const { code, rawMessage } = await callError(call);
  return [Code[code], rawMessage];
}
