/** The group id of topic number `index` of a filled database. Apart from what fills it, so that loads need no driver. */
export function prefilledGroup(index: number): Buffer {
  return Buffer.from(index.toString(16).padStart(32, "0"), "hex");
}
