/**
 * esbuild's `keepNames` names each function again when it is made, with `Object.defineProperty`.
 * Most have that name anyway, from the variable, field or property that holds them, and naming
 * those that a request makes takes longer than making them.
 */

/** A function that is named as soon as it is made: what holds it, and how it begins. */
const HELD = /^(\s*)((?:(?:const|let|var) )?(#?[\w$]+)(?: =|:) )\/\* @__PURE__ \*\/ __name\((.*)$/;
/** A function that was declared. */
const DECLARED = /^\s*__name\(([\w$]+), "([^"]+)"\);$/;
const MARK = /[;,]?$/;
/** What it calls itself, perhaps another name that esbuild gave it. */
const CALLS_ITSELF = /^(?:async )?(?:function\*? ?|class (?!extends\b))([\w$]+)/;

/** Takes those calls of `__name` out of esbuild's output that change no name. Its lines stay where they are. */
export function withoutNeedlessNames(code: string): string {
  const lines = code.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const [, declared, itsName] = DECLARED.exec(lines[i]!) ?? [];
    if (declared !== undefined && declared === itsName) lines[i] = '';
    const [, indent, holder, name, begin] = HELD.exec(lines[i]!) ?? [];
    if (begin === undefined || (CALLS_ITSELF.exec(begin)?.[1] ?? name) !== name) continue;
    const end = `, ${JSON.stringify(name)})`;
    const mark = MARK.exec(begin)![0];
    if (begin.endsWith(end + mark)) {
      lines[i] = `${indent}${holder}${begin.slice(0, -(end + mark).length)}${mark}`;
      continue;
    }
    // The first line that is no further to the right closes it, or tells nothing: text of several lines.
    const outer = new RegExp(`^ {0,${indent!.length}}[^ ]`);
    let last = i + 1;
    while (last < lines.length && !outer.test(lines[last]!)) last++;
    const [closing] = /^\s*[)\]}]+/.exec(lines[last] ?? '') ?? [];
    if (closing === undefined || !lines[last]!.startsWith(closing + end)) continue;
    lines[i] = `${indent}${holder}${begin}`;
    lines[last] = closing + lines[last]!.slice((closing + end).length);
  }
  return lines.join('\n');
}
