import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runInNewContext } from 'node:vm';
import { build } from 'esbuild';
import { withoutNeedlessNames } from '../../infra/own-names.ts';

const SOURCE = `
  import { same, Fault as OtherFault } from './other.js';
  const one = (x) => x + 1;
  const record = (x) => ({
    x,
    text: ", \\"record\\");",
  });
  class Fault extends Error { #hidden = (y) => y; seen = () => { return this.#hidden; } }
  function declared() {
    const inner = () => {
      const text = \`
    }, "inner");\`;
      return text;
    };
    let later;
    later = async function () { return 'later'; };
    function nested() { return inner; }
    return { inner, later, nested, held: () => [1, 2].map((n) => n), list: { deep: async (a) => one(a) } };
  }
  const again = function again(n) { return n > 0 ? again(n - 1) : n; };
  const kept = class kept { static made = new kept(); };
  const same2 = (z) => z, pair = (w) => w;
  const all = declared();
  const fault = new Fault();
  globalThis.made = [one, record, Fault, fault.seen, fault.seen(), declared, all.inner, all.later,
    all.nested, all.held, all.list.deep, same, same2, pair, OtherFault, again, kept];
  globalThis.said = [record(1).text, all.inner(), one(1)];
`;
const OTHER = `
  export function same() { return 1; }
  export class Fault extends Error {}
  export const one = () => 2;
  globalThis.first = one;
`;

async function bundled(): Promise<string> {
  const sources = new Map([
    ['entry', SOURCE],
    ['./other.js', OTHER],
  ]);
  const { outputFiles } = await build({
    entryPoints: ['entry'],
    ...{ bundle: true, format: 'esm', target: 'node20', keepNames: true, write: false },
    plugins: [
      {
        name: 'sources',
        setup(bundler) {
          bundler.onResolve({ filter: /.*/ }, ({ path }) => ({ path, namespace: 'made' }));
          bundler.onLoad({ filter: /.*/ }, ({ path }) => ({ contents: sources.get(path)! }));
        },
      },
    ],
  });
  return outputFiles[0]!.text;
}

interface Ran {
  readonly names: readonly string[];
  readonly said: readonly unknown[];
}

function run(code: string): Ran {
  const globals: { made: { name: string }[]; said: unknown[]; first: { name: string } } = {
    ...{ made: [], said: [], first: { name: '' } },
  };
  runInNewContext(code, Object.assign(globals, { globalThis: globals }));
  return {
    names: [...globals.made, globals.first].map(({ name }) => name),
    said: [...globals.said],
  };
}

describe('names of functions in a bundle', () => {
  it('stay as they were, and most are not given twice', async () => {
    const before = await bundled();
    const after = withoutNeedlessNames(before);
    assert.deepEqual(run(after), run(before));
    assert.equal(after.split('\n').length, before.split('\n').length);
    const calls = (code: string): string[] =>
      code.split('\n').filter((line) => /__name\((?!this|target)/.test(line));
    assert.ok(calls(before).length > 10, before);
    // One that was renamed, one whose end cannot be told, two within a line.
    const left = calls(after);
    assert.ok(left.length >= 1 && left.length <= 4, left.join('\n'));
    assert.ok(left.some((line) => line.includes('"one"')));
  });
});
