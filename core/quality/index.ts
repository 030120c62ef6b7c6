export { assessQuality, failureReason, qualityScore, type QualityOptions } from './assess.ts';
export { qualityRules } from './catalogue.ts';
export { leadingArtefactRows } from './rules/leading-artefact.ts';
export { compareVintages, MIN_OVERLAP, type VintageComparison } from './rules/vintage-splice.ts';
export type { QualityContext, QualityRule } from './rule.ts';
export { MAX_FINDING_ROWS, type QualityFinding, type QualityReport } from './report.ts';
