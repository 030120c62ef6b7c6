import type { Command } from 'commander';
import { CliError } from './output.ts';

const FIELD = /^(\s*)\/(\w+)(?:\/\d+)?(?=: )/gm;

/**
 * The same error in the words of the command line: where the API names a field of its query or body (`/asOf`, `/scopes/0`), the
 * option (`--as-of`) or the argument (`<name>`) of `command` that it came from. Other fields stay as they are.
 */
export function inOptions(error: CliError, command: Command): CliError {
  const message = error.message.replace(FIELD, (whole, space: string, field: string) => {
    const option = command.options.find((each) => each.attributeName() === field);
    const given = option?.long ?? argumentOf(command, field);
    return given === undefined ? whole : `${space}${given}`;
  });
  if (message === error.message) return error;
  const { hint, details, cause } = error;
  return new CliError(error.exitCode, message, { hint, details, cause });
}

function argumentOf(command: Command, field: string): string | undefined {
  return command.registeredArguments.some((each) => each.name() === field)
    ? `<${field}>`
    : undefined;
}
