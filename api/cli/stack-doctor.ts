/** `ratchet doctor`. */
import { readConfig } from '../../infra/config.ts';
import { checkMachine } from '../../infra/stack/checks.ts';
import { askStatus } from '../../infra/stack/control.ts';
import { keyFilesOf } from '../../infra/stack/identity.ts';
import { layoutOf } from '../../infra/stack/layout.ts';
import { externalFrom, stackEnvironment } from '../../infra/stack/environment.ts';
import { checkServices } from '../../infra/stack/service-checks.ts';
import { checkLifecycles } from './stack-lifecycles.ts';
import { CliError, EXIT, type CliContext } from './output.ts';

const WIDTH = 32;
const MARK = { ok: 'ok', warning: '--', failed: '!!' } as const;

export interface DoctorOptions {
  /** Also mend what is wrong with lifecycles. */
  readonly repair?: boolean;
}

export async function doctor(ctx: CliContext, { repair }: DoctorOptions = {}): Promise<void> {
  const layout = layoutOf(ctx.config.stateDir);
  const status = await askStatus(layout);
  if (repair === true && !status) {
    throw new CliError(EXIT.notRunning, 'there is nothing to repair: the stack does not run', {
      hint: 'start it with `ratchet up`',
    });
  }
  const findings = [...(await checkMachine(layout, status))];
  let repaired: readonly string[] = [];
  if (status) {
    // A part that is not ready was told above: asking it would only tell it again.
    const ready = status.parts.filter((part) => part.state === 'ready');
    const names = new Set(ready.map((part) => part.name));
    const env = stackEnvironment(layout, names);
    const storeIsDown = status.parts.some((part) => part.name === 's3' && !names.has('s3'));
    const adminKeyFile = names.has('api') ? keyFilesOf(layout).admin : undefined;
    const config = readConfig({ ...process.env, ...env });
    findings.push(...(await checkServices(config, { storeIsDown, adminKeyFile })));
    const { parts: external } = externalFrom();
    const isThere = (part: string): boolean => names.has(part) || external.has(part);
    if (isThere('postgres') && isThere('temporal')) {
      const lifecycles = await checkLifecycles(config, repair === true);
      repaired = lifecycles.repaired;
      findings.push(...lifecycles.findings);
    }
  }
  const bad = findings.filter((finding) => finding.verdict === 'failed');
  if (bad.length > 0) process.exitCode = EXIT.failed;
  ctx.out.data({ running: status !== undefined, findings, repaired });
  for (const what of repaired) ctx.out.line(`  ok  ${'repaired'.padEnd(WIDTH)} ${what}`);
  for (const { check, verdict, detail, fix } of findings) {
    ctx.out.line(`  ${MARK[verdict]}  ${check.padEnd(WIDTH)} ${detail}`);
    if (fix !== undefined) ctx.out.line(`      ${''.padEnd(WIDTH)} fix: ${fix}`);
  }
  const warnings = findings.filter((finding) => finding.verdict === 'warning').length;
  const summary = bad.length === 0 ? 'healthy' : `${bad.length} to fix`;
  const state = status ? '' : ' (not running: only the machine and the state were looked at)';
  ctx.out.line(`${summary}${warnings > 0 ? `, ${warnings} worth a look` : ''}${state}`);
}
