/** Writes docs/quality.md from the catalogue of quality rules. Run: npx tsx test/golden/write-quality-docs.ts */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { qualityDocs } from '../../core/quality/docs.ts';

writeFileSync(join(import.meta.dirname, '..', '..', 'docs', 'quality.md'), qualityDocs());
