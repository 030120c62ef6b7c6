import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { compressionWords } from '../../core/packages/compression.ts';
import { getVersionOrThrow } from '../../registry/versions.ts';
import { openPipeline, type Pipeline, type PipelineRun } from '../support/pipeline.ts';

const spec = {
  data: { sources: [{ dataset: 'sp500-daily' }], instruments: ['^GSPC'], from: '2012-01-01' },
  label: { kind: 'forwardLogReturn', horizons: [1, 5] },
  features: 'daily-22',
  lookback: 10,
  baselines: ['naive'],
  seeds: [1],
  family: 'ridge',
};

let pipeline: Pipeline;
before(async () => {
  pipeline = await openPipeline();
});
after(() => pipeline.close());

/** The page that is shown of a version, without its marks. */
async function pageOf({ model, version }: PipelineRun): Promise<{ html: string; text: string }> {
  const { attachments } = await getVersionOrThrow(pipeline.db, model, version);
  const report = attachments.find(({ name }) => name === 'report.html')!;
  const html = new TextDecoder().decode(await pipeline.artifacts.get(report));
  const text = html.replaceAll(/<[^>]+>/g, ' ').replaceAll('&quot;', '"');
  return { html, text: text.replaceAll('&#39;', "'").replaceAll(/\s+/g, ' ') };
}

test('the report tells what became of a wish for a smaller graph, as the card does', async () => {
  const small = await pipeline.run({
    ...spec,
    model: 'small',
    package: { quantize: 'dynamic', tolerance: 1 },
  });
  const { manifest } = await pipeline.load(small);
  assert.ok(manifest.compression);
  const { html, text } = await pageOf(small);
  assert.match(html, /<a href="#size">Size and speed<\/a>/);
  assert.match(html, /<section id="size"><h2>Size and speed<\/h2>/);
  for (const sentence of compressionWords(manifest.compression)) {
    assert.ok(text.includes(sentence.replaceAll(/\s+/g, ' ')), sentence);
  }
  assert.ok(html.endsWith('</main></body></html>\n'));
});

test('without the wish there is no such section, and the page is the one of the evaluation', async () => {
  const plain = await pipeline.run({ ...spec, model: 'plain' });
  const { html } = await pageOf(plain);
  assert.doesNotMatch(html, /Size and speed/);
  const stored = await pipeline.artifacts.get(plain.evaluation.report!);
  assert.equal(html, new TextDecoder().decode(stored));
});
