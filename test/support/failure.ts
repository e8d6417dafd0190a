import { Code, ConnectError } from "@connectrpc/connect";

/** With what a call failed: the code's name and the words. */
export async function failure(call: Promise<unknown>): Promise<readonly [code: string, words: string]> {
  try {
    await call;
  } catch (error) {
    if (error instanceof ConnectError) return [Code[error.code], error.rawMessage];
    throw error;
  }
  throw new Error("the call went well");
}
