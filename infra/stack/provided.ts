/** What set-up provided on this machine (`.tools/parts.json`). */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { projectRoot } from '../project.ts';
import { StackError } from './identity.ts';

const partSchema = z.object({
  state: z.enum(['ready', 'missing']),
  detail: z.string(),
  path: z.string().optional(),
  version: z.string().optional(),
  fix: z.string().optional(),
  without: z.string().optional(),
});

export type ProvidedPart = z.infer<typeof partSchema>;
export type ProvidedParts = Readonly<Record<string, ProvidedPart>>;

export const SETUP_COMMAND = 'node infra/setup.mjs';

/** Parts by name; a machine that was never set up has none. */
export function readProvidedParts(): ProvidedParts {
  const file = join(projectRoot, '.tools/parts.json');
  if (!existsSync(file)) return {};
  return z.record(z.string(), partSchema).parse(JSON.parse(readFileSync(file, 'utf8')));
}

/** Full path of a part's program; undefined where set-up could not have it. */
export function programPath(parts: ProvidedParts, name: string): string | undefined {
  const part = parts[name];
  if (part?.state !== 'ready' || part.path === undefined) return undefined;
  const path = resolve(projectRoot, part.path);
  return existsSync(path) ? path : undefined;
}

export function programPathOrThrow(parts: ProvidedParts, name: string): string {
  const path = programPath(parts, name);
  if (path !== undefined) return path;
  const fix = parts[name]?.fix ?? SETUP_COMMAND;
  throw new StackError('stack.part-missing', `${name} is not on this machine. To have it: ${fix}`, {
    details: { part: name, fix },
  });
}
