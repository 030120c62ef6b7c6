/** Who may import what (ARCHITECTURE.md has the reasons). */
import type { Import, SourceFile } from './imports.ts';

/** Folders of core/ from the ground up; a folder imports its own level and those below. */
const CORE_LEVELS: readonly (readonly string[])[] = [
  ['bars'],
  ['calendar', 'lookahead'],
  ['quality', 'indicators', 'sources'],
  ['features', 'labels', 'splits', 'scaling', 'metrics'],
  ['onnx', 'models', 'packages', 'evaluation'],
  [
    'predict',
    'signals',
    'policies',
    'search',
    'drift',
    'lifecycle',
    'trials',
    'outcomes',
    'alerts',
  ],
  ['advice'],
  ['strategies'],
  ['backtest'],
  ['spec'],
  ['ranges'],
];

/** Packages that open native code or the network: only in `*.impl.ts` of these folders of core/. */
const HEAVY = /^(@tensorflow\/|onnxruntime-node|koffi|ccxt|@duckdb\/|@resvg\/)/;
const IMPURE_CORE = /^core\/(sources|models|onnx)\/.*\.impl\.ts$/;
const IMPURE_NODE =
  /^node:(fs|net|http|https|http2|tls|dns|child_process|worker_threads|os|process)/;
const SERVERS =
  /^(hono|@hono\/|@temporalio\/|kysely|pg(?:-copy-streams)?$|minio|commander|pino|prom-client|@opentelemetry\/)/;

/** Names and shapes of what goes to workflows and back. */
const MESSAGES = /^workflows\/(lifecycle-)?messages\.ts$/;
/** Of the ends what others may load: settings, and what a served model's schedules are. */
const SHARED_INFRA = /^infra\/(config|schedules)\.ts$/;

type Rule = (edge: Import) => string | undefined;

const isOwn = (to: string): boolean =>
  /^(core|workflows|activities|workers|api|registry|infra|test)\//.test(to);
const under = (path: string, ...folders: readonly string[]): boolean =>
  folders.some((folder) => path.startsWith(`${folder}/`));
/** The ends of the wire: they may import everything, nobody else imports them. */
const isEnd = (path: string): boolean =>
  under(path, 'workers', 'infra', 'api/cli') || path === 'api/server.ts';

const levelOf = (path: string): number => {
  const folder = path.split('/')[1]!;
  return folder.endsWith('.ts') ? -1 : CORE_LEVELS.findIndex((level) => level.includes(folder));
};

const workflowRule: Rule = ({ to, kind }) => {
  if (kind === 'type' || under(to, 'workflows') || to === '@temporalio/workflow') return undefined;
  return 'a workflow loads only workflows/ and @temporalio/workflow';
};

const coreRule: Rule = ({ from, to, kind }) => {
  if (isOwn(to) && !under(to, 'core')) {
    const contract = kind === 'type' && to === 'workflows/messages.ts';
    return contract ? undefined : 'core imports core only';
  }
  if (kind === 'type') return undefined;
  if (under(to, 'core')) {
    const [own, other] = [levelOf(from), levelOf(to)];
    if (kind === 'runtime' && other > own) return 'core folders import those below them only';
    return undefined;
  }
  if (SERVERS.test(to)) return 'core knows no server, database or log';
  if (IMPURE_CORE.test(from)) return undefined;
  if (HEAVY.test(to)) return 'native packages only in *.impl.ts of sources/, models/, onnx/';
  return IMPURE_NODE.test(to) ? 'core is pure: no files, network or processes' : undefined;
};

const registryRule: Rule = ({ from, to, kind }) => {
  if (under(to, 'workflows', 'activities', 'api')) {
    const contract = kind === 'type' && to === 'workflows/messages.ts';
    return contract ? undefined : 'registry never imports workflows, activities or api';
  }
  if (HEAVY.test(to) && !from.endsWith('.impl.ts')) return 'native packages only in *.impl.ts';
  const foreign = /^(hono|@hono\/|@temporalio\/)/.test(to) && kind !== 'type';
  return foreign ? 'registry knows neither HTTP nor Temporal' : undefined;
};

const activityRule: Rule = ({ to, kind }) => {
  if (kind === 'type') return undefined;
  if (under(to, 'api')) return 'activities never import api';
  if (under(to, 'workflows') && !MESSAGES.test(to)) {
    return 'of workflows/ only messages.ts';
  }
  if (/^(kysely|pg(?:-copy-streams)?$|minio|hono|@hono\/)/.test(to))
    return 'SQL, S3 and HTTP are not written here';
  const temporal = to.startsWith('@temporalio/') && !/^@temporalio\/(activity|common)$/.test(to);
  if (temporal) return 'of Temporal only @temporalio/activity and common';
  // Plots are drawn where the evaluation is: nothing of it reaches core or the API.
  const heavy = HEAVY.test(to) && !to.startsWith('@resvg/');
  return heavy ? 'native packages are loaded by core entries' : undefined;
};

const apiRule: Rule = ({ to, kind }) => {
  if (kind === 'type') return undefined;
  if (under(to, 'activities', 'workers')) return 'api never imports activities or workers';
  if (under(to, 'workflows') && !MESSAGES.test(to)) {
    return 'of workflows/ only messages.ts';
  }
  if (/^(pg(?:-copy-streams)?$|minio)/.test(to)) return 'SQL and S3 lie in registry/';
  if (to.startsWith('@temporalio/') && !/^@temporalio\/(client|common)$/.test(to)) {
    return 'of Temporal only @temporalio/client and common';
  }
  return HEAVY.test(to) ? 'the API process loads no native package by itself' : undefined;
};

const RULES: Readonly<Record<string, Rule>> = {
  workflows: workflowRule,
  core: coreRule,
  registry: registryRule,
  activities: activityRule,
  api: apiRule,
};

/** Words that make a result depend on when and where it runs. */
const IMPURE_WORDS = /\b(process\.env|Date\.now\(|Math\.random\(|new Date\(\)|console\.\w+\()/;

/** Passing the whole environment on to a child is no reading of it. */
const READS_ENVIRONMENT = /(?<!\.\.\.)\bprocess\.env\b/;

/** Every broken rule as `file:line: what (import)`. */
export function violations(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) => {
    const folder = file.path.split('/')[0]!;
    const broken = file.imports.flatMap((edge) => {
      const ends =
        edge.kind !== 'type' && isEnd(edge.to) && !isEnd(edge.from) && !SHARED_INFRA.test(edge.to);
      const rule = isEnd(edge.from) ? undefined : RULES[folder]?.(edge);
      const what = ends ? 'nobody imports workers/, infra/, api/cli/, api/server.ts' : rule;
      return what === undefined ? [] : [`${file.path}:${edge.line}: ${what} (${edge.to})`];
    });
    const pure = folder === 'workflows' || (folder === 'core' && !IMPURE_CORE.test(file.path));
    const env = folder !== 'infra' && folder !== 'test' && READS_ENVIRONMENT.test(file.text);
    const words = pure ? IMPURE_WORDS.exec(file.text)?.[0] : env ? 'process.env' : undefined;
    return words === undefined ? broken : [...broken, `${file.path}: uses ${words}`];
  });
}
