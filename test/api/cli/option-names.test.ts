import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { inOptions } from '../../../api/cli/option-names.ts';
import { CliError, EXIT } from '../../../api/cli/output.ts';

test('what the API says of a field is said of the option or the argument that it came from', () => {
  const command = new Command('predictions')
    .argument('<model>')
    .argument('[instrument]')
    .option('--as-of-from <time>')
    .option('--to <time>')
    .option('--roles <list>');
  const said = (message: string): string =>
    inOptions(new CliError(EXIT.usage, message), command).message;
  assert.equal(
    said('/to: ISO 8601\n  /asOfFrom: no such date'),
    '--to: ISO 8601\n  --as-of-from: no such date',
  );
  assert.equal(said('/instrument: too long'), '<instrument>: too long');
  assert.equal(said('/roles/0: must be "read"'), '--roles: must be "read"');
  for (const other of ['/scopes: too few', '/to/at: x', 'there is no /to: file', 'data.asOf: x']) {
    assert.equal(said(other), other);
  }
  const details = { code: 'query.invalid' };
  const error = new CliError(EXIT.usage, '/to: x', { hint: 'look', details });
  const told = inOptions(error, command);
  assert.deepEqual([told.exitCode, told.hint, told.details], [EXIT.usage, 'look', details]);
});
