/**
 * A text in lines of at most `width` characters, broken at spaces; further lines begin under the first word.
 * A word that is longer (an address, a key) stays whole, so that it can be copied.
 */
export function wrapped(text: string, width: number): string[] {
  const indent = /^ */.exec(text)![0];
  const lines: string[] = [];
  let rest = text;
  while (rest.length > width) {
    const fits = rest.lastIndexOf(' ', width);
    const at = fits > indent.length ? fits : rest.indexOf(' ', Math.max(width, indent.length));
    if (at < 0) break;
    lines.push(rest.slice(0, at).trimEnd());
    rest = indent + rest.slice(at).trimStart();
  }
  return [...lines, rest];
}
