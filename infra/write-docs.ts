import { mkdir, writeFile } from 'node:fs/promises';
import { format } from 'prettier';
import { renderMetricDocs } from '../core/evaluation/docs.ts';
import { renderFeatureDocs } from '../core/features/docs.ts';
import { featureSets } from '../core/features/index.ts';
import { renderBacktestDocs } from '../core/spec/backtest-docs.ts';
import { renderSpecDocs } from '../core/spec/docs.ts';
import { specJsonSchema } from '../core/spec/json-schema.ts';
import { renderStrategyDocs } from '../core/spec/strategy-docs.ts';

/** Writes the pages of docs/ that come from catalogues: `node --import tsx infra/write-docs.ts`. */
const docs = new URL('../docs/', import.meta.url);
await mkdir(docs, { recursive: true });
const page = await format(renderFeatureDocs(featureSets.values()), { parser: 'markdown' });
await writeFile(new URL('features.md', docs), page);
const scores = await format(renderMetricDocs(), { parser: 'markdown' });
await writeFile(new URL('metrics.md', docs), scores);
const spec = await format(renderSpecDocs(), { parser: 'markdown' });
await writeFile(new URL('spec.md', docs), spec);
const schema = await format(JSON.stringify(specJsonSchema()), { parser: 'json' });
await writeFile(new URL('spec.schema.json', docs), schema);
const strategies = await format(renderStrategyDocs(), { parser: 'markdown' });
await writeFile(new URL('strategies.md', docs), strategies);
const backtests = await format(renderBacktestDocs(), { parser: 'markdown' });
await writeFile(new URL('backtests.md', docs), backtests);
