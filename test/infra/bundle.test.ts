import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { keepChunks } from '../../infra/bundle.ts';

const CHUNKS = ['late-AAAAAAA1.js', 'late-AAAAAAA2.js', 'late-AAAAAAA3.js', 'same-BBBBBBBB.js'];

describe('a build that takes the place of another', () => {
  it('keeps what processes of the former one have yet to load, for one build', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ratchet-bundle-'));
    try {
      const build = async (n: number): Promise<string[]> => {
        const bundle = join(folder, `build-${n}`, 'bundle');
        await mkdir(bundle, { recursive: true });
        for (const name of ['api-server.js', CHUNKS[n - 1]!, CHUNKS[3]!]) {
          await writeFile(join(bundle, name), `// ${n}\n`);
        }
        keepChunks(join(folder, `build-${n - 1}`), join(folder, `build-${n}`));
        return (await readdir(bundle)).filter((name) => name.startsWith('late-')).sort();
      };
      assert.deepEqual(await build(1), [CHUNKS[0]]);
      assert.deepEqual(await build(2), [CHUNKS[0], CHUNKS[1]]);
      assert.deepEqual(await build(3), [CHUNKS[1], CHUNKS[2]]);
      for (const name of ['api-server.js', CHUNKS[3]!]) {
        const text = await readFile(join(folder, 'build-3', 'bundle', name), 'utf8');
        assert.equal(text, '// 3\n', 'its own');
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});
