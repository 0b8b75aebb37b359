/**
 * Whether a barrier stands between what one lane writes to the memory of its workgroup and what another reads, by the text of a kernel:
 * a device may run lanes in order, and then no result shows that one is missing.
 */

/** What a lane does with a variable. */
interface Access {
  readonly name: string;
  readonly isWrite: boolean;
  /** Whether it is the lane's own element, and whether lane 0 alone comes here. */
  readonly isOwn: boolean;
  readonly isLane0: boolean;
  readonly statement: string;
}

type Statement =
  | { readonly kind: "simple"; readonly text: string }
  | { readonly kind: "branch" | "loop"; readonly head: string; readonly body: readonly Statement[] };

/** What stands between the braces that open at `start`, and where they have closed. */
function braced(text: string, start: number): [inner: string, end: number] {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    if (text[i] === "{") depth += 1;
    if (text[i] === "}") depth -= 1;
    if (depth === 0) return [text.slice(start + 1, i), i + 1];
  }
  throw new Error(`braces without an end: ${text.slice(start, start + 80)}`);
}

/** A head is what stands before braces. */
function statementsOf(text: string): Statement[] {
  const statements: Statement[] = [];
  let [begin, depth] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "(") depth += 1;
    if (text[at] === ")") depth -= 1;
    // The head of a `for` has semicolons in its parentheses.
    if (depth > 0 || (text[at] !== ";" && text[at] !== "{")) continue;
    const head = text.slice(begin, at).trim();
    if (text[at] === "{") {
      const [inner, end] = braced(text, at);
      statements.push({ kind: /^(for|while)\b/.test(head) ? "loop" : "branch", head, body: statementsOf(inner) });
      at = end - 1;
    } else if (head !== "") {
      statements.push({ kind: "simple", text: head });
    }
    begin = at + 1;
  }
  return statements;
}

/** What functions do. Variables of their own that have the name of a shared one have another name here. */
function bodiesIn(text: string, shared: readonly string[]): Map<string, string> {
  const heads = [...text.matchAll(/\bfn (\w+)\([^{]*\{/g)];
  return new Map(
    heads.map(({ 0: head, 1: name = "", index }) => {
      const [body] = braced(text, index + head.length - 1);
      const own = shared.filter((one) => new RegExp(`\\b(let|var) ${one}\\b`).test(body));
      return [name, own.reduce((changed, one) => changed.replace(new RegExp(`\\b${one}\\b`, "g"), `own_${one}`), body)];
    }),
  );
}

/** The functions that come to a barrier or to one of these variables. */
function touchingOf(bodies: ReadonlyMap<string, string>, names: readonly string[]): Set<string> {
  const touching = new Set(["workgroupBarrier", ...names]);
  for (let size = 0; size < touching.size; ) {
    size = touching.size;
    for (const [name, body] of bodies) {
      if ([...body.matchAll(/\b\w+\b/g)].some(([word]) => touching.has(word))) touching.add(name);
    }
  }
  return touching;
}

/** Pairs of statements that may touch the same memory in two lanes at once. */
export function conflictsIn(code: string): string[] {
  const text = code.replace(/\/\/.*/g, "");
  const names = [...text.matchAll(/var<workgroup> (\w+)/g)].map(([, name = ""]) => name);
  const bodies = bodiesIn(text, names);
  const touching = touchingOf(bodies, names);
  const functions = new Map([...bodies].map(([name, body]) => [name, statementsOf(body)]));
  const conflicts = new Set<string>();

  const accessesIn = (statement: string, isLane0: boolean): Access[] => {
    const [, target = ""] = /^(\w+)[\w.[\] %+-]*? (?:[-+|&]?=) /.exec(statement) ?? [];
    return names.flatMap((name) =>
      [...statement.matchAll(new RegExp(`(?<![.\\w])${name}\\b(\\[lane\\])?`, "g"))].map(({ 1: own, index }) => {
        return { name, isWrite: index === 0 && target === name, isOwn: own !== undefined, isLane0, statement };
      }),
    );
  };

  /** What has been done since the last barrier, after this statement. */
  const after = (before: readonly Access[], statement: string, isLane0: boolean): readonly Access[] => {
    if (statement === "workgroupBarrier()") return [];
    const called = [...statement.matchAll(/\b(\w+)\(/g)].map(([, name = ""]) => name);
    const calls = called.flatMap((name) => (touching.has(name) ? (functions.get(name) ?? []) : []));
    const own = accessesIn(statement, isLane0);
    const [reads, writes] = [false, true].map((isWrite) => own.filter((one) => one.isWrite === isWrite)) as [
      Access[],
      Access[],
    ];
    // What a call is given is read before it, and what it gives is written after it.
    note(before, reads);
    note(walk(before, calls, isLane0), writes);
    return joined(walk(joined(before, reads), calls, isLane0), writes);
  };

  const note = (known: readonly Access[], own: readonly Access[]) => {
    for (const a of known) {
      for (const b of own) {
        const isShared = a.name === b.name && (a.isWrite || b.isWrite);
        const isSameLane = (a.isOwn && b.isOwn) || (a.isLane0 && b.isLane0);
        if (isShared && !isSameLane) conflicts.add(`${a.name}: "${a.statement}" and then "${b.statement}"`);
      }
    }
  };

  const joined = (a: readonly Access[], b: readonly Access[]) => {
    const all = new Map([...a, ...b].map((access) => [JSON.stringify(access), access]));
    return [...all.values()];
  };

  const walk = (before: readonly Access[], statements: readonly Statement[], isLane0: boolean): readonly Access[] =>
    statements.reduce((known, statement) => {
      if (statement.kind === "simple") return after(known, statement.text, isLane0);
      const { kind, head, body } = statement;
      const asked = after(known, head, isLane0);
      const once = walk(asked, body, isLane0 || /\blane == 0u(?! \|\|)/.test(head));
      // A second turn follows the first one.
      return joined(asked, kind === "loop" ? walk(once, body, isLane0) : once);
    }, before);

  walk([], functions.get("main") ?? [], false);
  return [...conflicts];
}
