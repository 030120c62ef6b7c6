import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RatchetError } from '../../../core/errors.ts';
import { encodeMessage } from '../../../core/onnx/protobuf.ts';
import { decodeMessage } from '../../../core/onnx/protobuf.ts';
import type { ModelProto } from '../../../core/onnx/onnx-format.ts';
import type { PackagePath } from '../../../core/packages/files.ts';
import { sha256Hex } from '../../../core/packages/files.ts';
import { jsonFile } from '../../../core/packages/json-file.ts';
import type { Manifest } from '../../../core/packages/manifest.ts';
import {
  generateSigningKeys,
  publicPemOf,
  signerFrom,
  trustedKeysFrom,
} from '../../../core/packages/signature.ts';
import { verifyPackage } from '../../../core/packages/verify.ts';
import { expectedOf, makePackage, testKeys, testSigner } from '../../support/model-package.ts';

const built = await makePackage();
const expected = expectedOf(built);

const refusal = (code: string, words?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RatchetError, String(error));
  assert.equal(error.code, code);
  assert.equal(error.permanent, true);
  if (words) assert.match(error.message, words);
  return true;
};
const withFile = (path: string, bytes: Uint8Array) =>
  new Map([...built.files, [path as PackagePath, bytes]]);

/** A package whose manifest was changed and signed again by the true key: an insider's mistake. */
function resigned(change: (manifest: Manifest) => unknown, files = built.files) {
  const manifest = jsonFile(change(built.manifest));
  const all = new Map([
    ...files,
    ['manifest.json' as const, manifest],
    ['manifest.sig' as const, testSigner(manifest)],
  ]);
  return { files: all, expected: { ...expected, packageDigest: sha256Hex(manifest) } };
}

test('a package as it was made is accepted', () => {
  const verified = verifyPackage(built.files, testKeys, expected);
  assert.equal(verified.packageDigest, built.packageDigest);
  assert.equal(verified.preprocessing.featureNames.length, 152);
  assert.deepEqual([...built.files.keys()].sort(), [
    'card.md',
    'evaluation.json',
    'golden.json',
    'manifest.json',
    'manifest.sig',
    'model-mc.onnx',
    'model.onnx',
    'outliers.json',
    'preprocessing.json',
  ]);
});

test('the same content gives the same bytes and the same digest', async () => {
  const again = await makePackage();
  assert.equal(again.packageDigest, built.packageDigest);
  assert.deepEqual([...again.files], [...built.files]);
});

test('a package without a Monte-Carlo graph is whole', async () => {
  const linear = await makePackage({ monteCarlo: false });
  const verified = verifyPackage(linear.files, testKeys, expectedOf(linear));
  assert.equal(verified.monteCarlo, undefined);
});

test('unsigned, altered, signed by an unknown key, and a shortened signature are refused', () => {
  const stranger = signerFrom(generateSigningKeys().privatePem);
  const manifest = built.files.get('manifest.json')!;
  const without = new Map(built.files);
  without.delete('manifest.sig');
  const code = 'package.signature';
  assert.throws(() => verifyPackage(without, testKeys, expected), refusal('package.missing-file'));
  for (const signature of [stranger(manifest), new Uint8Array(64), new Uint8Array(0)]) {
    const files = withFile('manifest.sig', signature);
    assert.throws(() => verifyPackage(files, testKeys, expected), refusal(code));
  }
  assert.throws(() => verifyPackage(built.files, [], expected), refusal(code));
});

test('two trusted keys: packages of the old and the new one are accepted', () => {
  const next = generateSigningKeys();
  const both = [...trustedKeysFrom(next.publicPem), ...testKeys];
  assert.equal(verifyPackage(built.files, both, expected).packageDigest, built.packageDigest);
  assert.equal(trustedKeysFrom(next.publicPem + publicPemOf(next.privatePem)).length, 2);
});

test('a valid package of another model, version or digest is refused', async () => {
  const older = await makePackage({ seed: 'older' });
  const cases = [
    { ...expected, model: 'index-ixic' },
    { ...expected, version: 2 },
    { ...expected, packageDigest: older.packageDigest },
  ];
  for (const other of cases) {
    assert.throws(
      () => verifyPackage(built.files, testKeys, other),
      refusal('package.mismatch', /another (model|version|packageDigest)/),
    );
  }
});

test('two valid files that changed places, and files of another package, are refused', async () => {
  const other = await makePackage({ seed: 'other' });
  const swapped = new Map([
    ...built.files,
    ['model.onnx' as const, built.files.get('model-mc.onnx')!],
    ['model-mc.onnx' as const, built.files.get('model.onnx')!],
  ]);
  assert.throws(() => verifyPackage(swapped, testKeys, expected), refusal('package.size'));
  const foreign = withFile('model.onnx', other.files.get('model.onnx')!);
  assert.throws(() => verifyPackage(foreign, testKeys, expected), refusal('package.digest'));
});

test('missing, extra and truncated files are refused', () => {
  const missing = new Map(built.files);
  missing.delete('golden.json');
  assert.throws(
    () => verifyPackage(missing, testKeys, expected),
    refusal('package.missing-file', /golden.json/),
  );
  for (const name of ['model.bin', '../model.onnx', '/etc/passwd']) {
    assert.throws(
      () => verifyPackage(withFile(name, new Uint8Array(1)), testKeys, expected),
      refusal('package.extra-file'),
    );
  }
  for (const [path, bytes] of built.files) {
    if (path.startsWith('manifest')) continue;
    const cut = withFile(path, bytes.subarray(0, bytes.length - 1));
    assert.throws(() => verifyPackage(cut, testKeys, expected), refusal('package.size'));
  }
});

test('a signed manifest that lists other paths, none, or one twice is refused', () => {
  const [first] = built.manifest.files;
  const lists = [
    [...built.manifest.files, { ...first!, path: '../../etc/passwd' }],
    [...built.manifest.files, { ...first!, path: 'manifest.sig' }],
    [...built.manifest.files, first!],
    built.manifest.files.slice(1),
    [],
  ];
  for (const files of lists) {
    const { files: all, expected: digest } = resigned((manifest) => ({ ...manifest, files }));
    assert.throws(() => verifyPackage(all, testKeys, digest), refusal('package.manifest'));
  }
  const unlisted = resigned((manifest) => ({
    ...manifest,
    files: manifest.files.filter(({ path }) => path !== 'model-mc.onnx'),
  }));
  assert.throws(
    () => verifyPackage(unlisted.files, testKeys, unlisted.expected),
    refusal('package.manifest', /does not list model-mc.onnx/),
  );
});

test("a library's own trees are listed, and no other bytes pass for them", async () => {
  const trees = new TextEncoder().encode('trees of a library');
  const made = await makePackage({ change: (content) => ({ ...content, trees }) });
  const asked = expectedOf(made);
  assert.deepEqual(verifyPackage(made.files, testKeys, asked).trees, trees);
  assert.equal(verifyPackage(built.files, testKeys, expected).trees, undefined);
  const other = trees.map((byte, i) => (i === 3 ? byte ^ 1 : byte));
  const altered = new Map(made.files).set('trees.bin', other);
  assert.throws(
    () => verifyPackage(altered, testKeys, asked),
    refusal('package.digest', /trees.bin/),
  );
  assert.throws(
    () => verifyPackage(withFile('trees.bin', trees), testKeys, expected),
    refusal('package.manifest'),
  );
  const removed = new Map(made.files);
  removed.delete('trees.bin');
  assert.throws(() => verifyPackage(removed, testKeys, asked), refusal('package.missing-file'));
});

test('a signed manifest of an unknown format is refused', () => {
  for (const change of [{ format: 2 }, { surprise: true }, { version: 0 }]) {
    const { files, expected: digest } = resigned((manifest) => ({ ...manifest, ...change }));
    assert.throws(() => verifyPackage(files, testKeys, digest), refusal('package.manifest'));
  }
});

/** A package with a changed graph, listed and signed correctly: only the structural check can see it. */
function withGraph(change: (model: ModelProto) => void) {
  const model = decodeMessage('Model', built.files.get('model.onnx')!);
  change(model);
  const bytes = encodeMessage('Model', model);
  return resigned(
    (manifest) => ({
      ...manifest,
      files: manifest.files.map((file) =>
        file.path === 'model.onnx'
          ? { path: file.path, bytes: bytes.length, sha256: sha256Hex(bytes) }
          : file,
      ),
    }),
    withFile('model.onnx', bytes),
  );
}

test('graphs that reach beyond themselves are refused even when signed', () => {
  const location = [{ key: 'location', value: '../../../../etc/passwd' }];
  const body = {
    node: [],
    initializer: [{ name: 'w', dims: [1], dataType: 1, externalData: location, dataLocation: 1 }],
  };
  const changes: [RegExp, (model: ModelProto) => void][] = [
    [/data in another file/, (m) => (m.graph!.initializer![0]!.externalData = location)],
    [/data in another file/, (m) => (m.graph!.initializer![0]!.dataLocation = 1)],
    [
      /data in another file/,
      (m) =>
        m.graph!.node!.push({ opType: 'Scan', attribute: [{ name: 'body', g: body, type: 5 }] }),
    ],
    [
      /data in another file/,
      (m) =>
        m.graph!.node!.push({
          opType: 'Constant',
          attribute: [{ name: 'value', t: body.initializer[0]!, type: 4 }],
        }),
    ],
    [/domain evil/, (m) => m.graph!.node!.push({ opType: 'Shell', domain: 'evil' })],
    [/local functions/, (m) => (m.functions = [Uint8Array.of(0x0a, 1, 65)])],
    [/sparse initializer/, (m) => (m.graph!.sparseInitializer = [Uint8Array.of()])],
  ];
  for (const [words, change] of changes) {
    const { files, expected: digest } = withGraph(change);
    assert.throws(
      () => verifyPackage(files, testKeys, digest),
      refusal('package.unsafe-graph', words),
    );
  }
});

test('JSON that cannot say a value is refused when the package is made, with its path', async () => {
  const broken = makePackage({
    change: (content) => ({ ...content, evaluation: { a: [1, { b: Number.NaN }] } }),
  });
  await assert.rejects(broken, refusal('package.not-json', /\$\.a\[1\]\.b is NaN/));
});

test('JSON files have one spelling', () => {
  const text = (value: unknown) => new TextDecoder().decode(jsonFile(value));
  assert.equal(text({ b: 1, a: [-0, null], c: undefined }), text({ a: [0, null], b: 1 }));
  assert.throws(() => jsonFile({ a: new Float64Array(1) }), refusal('package.not-json'));
});

test('a key that is not Ed25519, or no key at all, is refused with words', () => {
  assert.throws(() => trustedKeysFrom('no key'), refusal('package.key', /no public key/));
});
