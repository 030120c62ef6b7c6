import type { Policy } from './auth.ts';

/**
 * Every route, who may use it, and which CLI command does. Deny by default: a route that does not stand
 * here cannot be registered (api/secure.ts throws), and a test walks the table in both directions.
 */
export interface RouteEntry {
  readonly policy: Policy;
  /** CLI commands that call it; empty for machines' routes. */
  readonly cli: readonly string[];
}

const entry = (policy: Policy, ...cli: string[]): RouteEntry => ({ policy, cli });
const M = '/api/v1/ml-models';

export const ROUTES = {
  'POST /api/v1/uploads': entry('experiment', 'run'),
  'POST /api/v1/experiments': entry('experiment', 'run'),
  'GET /api/v1/experiments': entry('read', 'experiments'),
  'GET /api/v1/experiments/{id}': entry('read', 'watch', 'run'),
  'GET /api/v1/experiments/{id}/events': entry('read', 'watch', 'run'),
  'GET /api/v1/experiments/{id}/search': entry('read', 'search'),
  'POST /api/v1/experiments/{id}/cancel': entry('experiment', 'cancel'),
  [`GET ${M}`]: entry('read', 'models'),
  [`POST ${M}`]: entry('admin', 'model create'),
  [`GET ${M}/{name}`]: entry('read', 'models'),
  [`PUT ${M}/{name}`]: entry('admin', 'model update'),
  [`DELETE ${M}/{name}`]: entry('admin', 'model delete'),
  [`POST ${M}/{name}/train`]: entry('experiment', 'train'),
  [`GET ${M}/{name}/training-status`]: entry('read', 'train'),
  [`GET ${M}/{name}/training-history`]: entry('read', 'train'),
  [`GET ${M}/{name}/versions`]: entry('read', 'versions'),
  [`GET ${M}/{name}/versions/{version}`]: entry('read', 'versions'),
  [`GET ${M}/{name}/versions/{version}/report`]: entry('read', 'report'),
  [`GET ${M}/{name}/versions/{version}/evaluation`]: entry('read', 'report'),
  [`POST ${M}/{name}/evaluate`]: entry('experiment', 'evaluate'),
  [`GET ${M}/{name}/evaluations`]: entry('read', 'evaluate'),
  [`GET ${M}/{name}/evaluations/{id}`]: entry('read', 'evaluate'),
  [`GET ${M}/{name}/evaluations/{id}/report`]: entry('read', 'evaluate'),
  [`DELETE ${M}/{name}/versions/{version}`]: entry('admin', 'model delete'),
  [`GET ${M}/{name}/compare/{metric}`]: entry('read', 'compare'),
  [`GET ${M}/{name}/metrics`]: entry('read', 'metrics', 'report'),
  [`GET ${M}/{name}/champion`]: entry('read', 'champion'),
  [`POST ${M}/{name}/promote`]: entry('promote', 'promote'),
  [`POST ${M}/{name}/rollback`]: entry('promote', 'rollback'),
  [`POST ${M}/{name}/approve`]: entry('promote', 'approve'),
  [`POST ${M}/{name}/reject`]: entry('promote', 'reject'),
  [`POST ${M}/{name}/freeze`]: entry('promote', 'freeze'),
  [`POST ${M}/{name}/unfreeze`]: entry('promote', 'unfreeze'),
  [`GET ${M}/{name}/explain`]: entry('read', 'explain'),
  [`GET ${M}/{name}/history`]: entry('read', 'history'),
  [`GET ${M}/{name}/trials`]: entry('read', 'trials'),
  [`GET ${M}/{name}/trials/{id}`]: entry('read', 'trials'),
  [`POST ${M}/{name}/settle`]: entry('experiment', 'settle'),
  [`POST ${M}/{name}/monitor`]: entry('experiment', 'monitor'),
  [`POST ${M}/{name}/predict`]: entry('predict', 'predict'),
  [`POST ${M}/{name}/batch-predict`]: entry('predict', 'batch-predict'),
  'POST /api/v1/signals': entry('predict', 'signal'),
  'GET /api/v1/results/{id}': entry('predict', 'results'),
  [`GET ${M}/{name}/predictions`]: entry('read', 'predictions'),
  [`GET ${M}/{name}/performance`]: entry('read', 'performance'),
  [`GET ${M}/{name}/drift`]: entry('read', 'drift'),
  [`GET ${M}/{name}/drift/{id}`]: entry('read', 'drift'),
  [`GET ${M}/{name}/drift/{id}/page`]: entry('read', 'drift'),
  'GET /api/v1/datasets': entry('read', 'datasets'),
  'GET /api/v1/dataset-versions': entry('read', 'datasets', 'sql'),
  'GET /api/v1/dataset-versions/{hash}/bars': entry('read', 'sql'),
  'GET /api/v1/audit': entry('admin', 'audit'),
  'POST /api/v1/mirror/rebuild': entry('admin', 'mirror rebuild'),
  'GET /api/v1/alerts': entry('read', 'alerts list'),
  'GET /api/v1/alerts/{id}': entry('read', 'alerts test'),
  'POST /api/v1/alerts/test': entry('admin', 'alerts test'),
  'GET /api/v1/keys': entry('admin', 'keys list'),
  'POST /api/v1/keys': entry('admin', 'keys create'),
  'DELETE /api/v1/keys/{id}': entry('admin', 'keys revoke'),
  'POST /api/v1/keys/{id}/rotate': entry('admin', 'keys rotate'),
  'GET /v2': entry('public'),
  'GET /v2/health/live': entry('public'),
  'GET /v2/health/ready': entry('public'),
  'GET /v2/models/{name}': entry('predict'),
  'GET /v2/models/{name}/ready': entry('predict'),
  'POST /v2/models/{name}/infer': entry('predict'),
  'GET /v2/models/{name}/versions/{version}': entry('predict'),
  'GET /v2/models/{name}/versions/{version}/ready': entry('predict'),
  'POST /v2/models/{name}/versions/{version}/infer': entry('predict'),
  'GET /livez': entry('public'),
  'GET /readyz': entry('public'),
  'GET /metrics': entry('public'),
  'GET /': entry('public'),
  'GET /openapi.json': entry('public'),
  'GET /docs': entry('public'),
  'GET /docs/{file}': entry('public'),
} as const satisfies Record<string, RouteEntry>;

export const routeTable: Readonly<Record<string, RouteEntry>> = ROUTES;
