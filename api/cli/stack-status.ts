/** `ratchet status`. */
import { askRunning } from '../../infra/stack/control.ts';
import { layoutOf } from '../../infra/stack/layout.ts';
import { leftOut } from '../../infra/stack/left-out.ts';
import { readProvidedParts } from '../../infra/stack/provided.ts';
import { EXIT, formatTable, type CliContext } from './output.ts';

const MIB = 1024 * 1024;

export async function status(ctx: CliContext): Promise<void> {
  const { stateDir } = ctx.config;
  const found = await askRunning(layoutOf(stateDir));
  const missing = leftOut(readProvidedParts());
  if (!found) process.exitCode = EXIT.notRunning;
  ctx.out.data({ stateDir, running: found !== undefined, ...found, leftOut: missing });
  if (!found) {
    ctx.out.line(`not running (state in ${stateDir}). Start it: ratchet up`);
  } else {
    const word = found.stopping ? 'ending' : found.ready ? 'ready' : 'not ready';
    ctx.out.line(
      `${word}, since ${found.startedAt}, supervisor pid ${found.pid}, state in ${stateDir}`,
    );
    ctx.out.line();
    const rows = formatTable(found.parts, [
      { title: 'part', value: (part) => part.title },
      { title: 'state', value: (part) => part.state },
      { title: 'pid', value: (part) => part.pid, align: 'right' },
      { title: 'port', value: (part) => part.port, align: 'right' },
      {
        title: 'MiB',
        value: (part) => part.memoryBytes && Math.round(part.memoryBytes / MIB),
        align: 'right',
      },
      { title: 'restarts', value: (part) => part.restarts, align: 'right' },
      { title: 'url', value: (part) => part.url },
    ]);
    for (const row of rows) ctx.out.line(row);
    const broken = found.parts.filter((part) => part.state !== 'ready');
    for (const part of broken) ctx.out.line(`${part.title} is ${part.state}: see ${part.log}`);
  }
  for (const part of missing) {
    ctx.out.line(`left out: ${part.name}: ${part.without}`);
    ctx.out.line(`          to have it: ${part.fix}`);
  }
}
