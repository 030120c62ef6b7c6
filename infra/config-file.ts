/** ratchet.config.yaml: the operator's settings that are not a line of the environment. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { RatchetError } from '../core/errors.ts';
import { projectRoot } from './project.ts';

export const CONFIG_FILE = 'ratchet.config.yaml';

export class ConfigFileError extends RatchetError {}

/** Every section; each is read where it is used. */
const fileSchema = z.strictObject({
  datasets: z.unknown().optional(),
  webhooks: z.unknown().optional(),
  publicUrl: z.unknown().optional(),
  advice: z.unknown().optional(),
});
export type ConfigSection = keyof z.infer<typeof fileSchema>;

/** In the working directory, else beside the project; undefined where there is none. */
export function findConfigFile(): string | undefined {
  return [resolve(CONFIG_FILE), join(projectRoot, CONFIG_FILE)].find(existsSync);
}

/** One section, parsed. Throws `config.file` with the path of every wrong setting. */
export function readSection<S extends z.ZodType>(
  file: string,
  section: ConfigSection,
  schema: S,
): z.output<S> {
  let value: unknown;
  try {
    value = parseYaml(readFileSync(file, 'utf8'), { maxAliasCount: 100 }) ?? {};
  } catch (cause) {
    const why = cause instanceof YAMLParseError ? cause.message : String(cause);
    throw new ConfigFileError('config.file', `${file} cannot be read: ${why}`, { cause });
  }
  const whole = fileSchema.safeParse(value);
  if (!whole.success) throw invalidFile(file, whole.error.issues, []);
  const parsed = schema.safeParse(whole.data[section]);
  if (!parsed.success) throw invalidFile(file, parsed.error.issues, [section]);
  return parsed.data;
}

/** `config.file`, saying where each mistake is. */
export function invalidFile(
  file: string,
  issues: readonly Pick<z.core.$ZodIssue, 'path' | 'message'>[],
  path: readonly string[],
): ConfigFileError {
  const lines = issues.map((issue) => `${[...path, ...issue.path].join('.')}: ${issue.message}`);
  return new ConfigFileError('config.file', `${file} is not valid: ${lines.join('; ')}`, {
    details: { issues: lines },
  });
}
