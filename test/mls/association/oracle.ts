/**
 * The rules of identities once more, as plainly as can be: names and maps that change in place. It says whether an
 * update holds and what it leaves behind, not why it does not.
 */

/** Of an identifier: `a1` is an account, `i1` an installation, `p1` a passkey. */
export type Name = string;

export interface Signed {
  readonly by: Name;
  /** `own`: the kind that comes naturally to such a signer. */
  readonly how: "own" | "wallet" | "legacy" | "wrong";
  /** Of a wallet. */
  readonly chain: number | undefined;
  /** What it is known again by. */
  readonly mark: string;
}

export type Step =
  | { readonly does: "create"; readonly who: Name; readonly nonce: number; readonly signed: Signed }
  | { readonly does: "add"; readonly who: Name; readonly old: Signed; readonly signed: Signed }
  | { readonly does: "revoke"; readonly who: Name; readonly signed: Signed }
  | { readonly does: "recover"; readonly who: Name; readonly signed: Signed };

interface Entry {
  readonly by: Name | undefined;
  readonly chain: number | undefined;
}

export interface World {
  /** `WHO/NONCE`. */
  inbox: string | undefined;
  recovery: Name;
  members: Map<Name, Entry>;
  marks: Set<string>;
  updates: number;
}

export const EMPTY: World = { inbox: undefined, recovery: "", members: new Map(), marks: new Set(), updates: 0 };

const isInstallation = (name: Name) => name.startsWith("i");
const isAccount = (name: Name) => name.startsWith("a");

/** The world after an update of `inbox`, or undefined if it must be refused. */
export function play(world: World, inbox: string, steps: readonly Step[], most: number): World | undefined {
  if (steps.length === 0 || world.updates >= most) return undefined;
  const next: World = { ...world, members: new Map(world.members), marks: new Set(world.marks) };
  for (const step of steps) {
    if (!holds(next, inbox, step, world.marks)) return undefined;
    take(next, step);
  }
  if (next.inbox !== inbox) return undefined;
  for (const mark of steps.flatMap(marksOf)) next.marks.add(mark);
  next.updates++;
  return next;
}

function marksOf(step: Step): readonly string[] {
  return step.does === "add" ? [step.old.mark, step.signed.mark] : [step.signed.mark];
}

function holds(world: World, inbox: string, step: Step, marks: ReadonlySet<string>): boolean {
  if (step.does === "create") {
    const { who, nonce, signed } = step;
    const legacy = signed.how === "legacy" && nonce !== 0;
    return world.inbox === undefined && `${who}/${nonce}` === inbox && signed.by === who && fits(signed) && !legacy;
  }
  if (world.inbox === undefined || marksOf(step).some((mark) => marks.has(mark))) return false;
  const signer = step.does === "add" ? step.old : step.signed;
  const entry = world.members.get(signer.by);
  if (entry !== undefined && entry.chain !== signer.chain) return false;
  if (step.does === "add") return mayAdd(world, step, entry !== undefined);
  return signer.how !== "legacy" && signer.by === world.recovery;
}

function mayAdd(world: World, { who, old, signed }: Extract<Step, { does: "add" }>, isMember: boolean): boolean {
  if (signed.by !== who || old.by === who || !fits(signed) || !fits(old)) return false;
  if (!isMember && (old.by !== world.recovery || old.how === "legacy")) return false;
  if (isInstallation(old.by) && isInstallation(who)) return false;
  const legacy = old.how === "legacy" || signed.how === "legacy";
  if (legacy && !isInstallation(old.by) && world.inbox !== `${old.by}/0`) return false;
  const installations = [...world.members.keys()].filter(isInstallation);
  return !isInstallation(who) || installations.includes(who) || installations.length < 3;
}

/** Whether such a member signs in such a way. */
function fits({ by, how }: Signed): boolean {
  return how === "own" || (isAccount(by) && how !== "wrong");
}

function take(world: World, step: Step): void {
  switch (step.does) {
    case "create":
      world.inbox = `${step.who}/${step.nonce}`;
      world.recovery = step.who;
      world.members.set(step.who, { by: undefined, chain: step.signed.chain });
      return;
    case "add":
      world.members.set(step.who, { by: step.old.by, chain: step.signed.chain });
      return;
    case "revoke":
      for (const [name, { by }] of [...world.members]) {
        if (name === step.who || (by === step.who && isInstallation(name))) world.members.delete(name);
      }
      return;
    case "recover":
      world.recovery = step.who;
      return;
    default:
      step satisfies never;
  }
}
