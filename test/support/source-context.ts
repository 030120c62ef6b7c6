import type { SourceContext } from '../../core/sources/source.ts';

/** A context over files in memory and real HTTP; waits are recorded and move the clock, but are not slept. */
export function memoryContext(
  files: Readonly<Record<string, Uint8Array>>,
  options: { readonly now?: number; readonly signal?: AbortSignal } = {},
): SourceContext & { readonly waits: readonly number[] } {
  const waits: number[] = [];
  let { now = Date.parse('2024-07-01T00:00:00Z') } = options;
  const { signal = new AbortController().signal } = options;
  return {
    http: (url, init) => fetch(url, { ...init, redirect: 'error' }),
    openFile: (name) =>
      files[name] ? Promise.resolve(files[name]) : Promise.reject(new Error(`no file ${name}`)),
    listFiles: () => Promise.resolve(Object.keys(files)),
    pathOf: (name) => Promise.reject(new Error(`no path of ${name}`)),
    query: () => Promise.reject(new Error('no database')),
    secret: () => 'played-key',
    clock: () => now,
    sleep: (ms) => {
      waits.push(ms);
      now += ms;
      return Promise.resolve();
    },
    signal,
    waits,
  };
}
