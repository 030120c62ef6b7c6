const INSTRUMENT = '^GSPC';

/** Bodies that no reader should take, from a seed. */
export function malformedBody(random: () => number, n: number): string {
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
  const valid = { instrument: INSTRUMENT, confidence: 'none' };
  const makers: readonly (() => string)[] = [
    () => JSON.stringify(valid).slice(0, 1 + Math.floor(random() * 30)),
    () => '['.repeat(1 + Math.floor(random() * 100_000)),
    () => `{"a":${'{"a":'.repeat(40)}1${'}'.repeat(40)}}`,
    () => '{"__proto__":{"admin":true}}',
    () => '{"instrument":"^GSPC","instrument":"^IXIC"}',
    () => '{"\\u0069nstrument":"^GSPC","instrument":"^IXIC"}',
    () => `{"version":${pick(['1e400', '-1', '1.5', '0', '99999999999', '"1"', 'null', 'true'])}}`,
    () =>
      `{"instrument":"${pick(['\\ud800', '../../etc', "'; drop table bar--", '', 'x'.repeat(99)])}"}`,
    () => pick(['', 'null', '[]', '"x"', '1', 'NaN', '{', '}', '\u0000', '\ufeff{}x', "{'a':1}"]),
    () => JSON.stringify({ ...valid, confidence: pick(['MC', 1, null, [], {}]) }),
    () => JSON.stringify({ ...valid, [`x${n}`]: random() }),
    () =>
      JSON.stringify({ ...valid, asOf: pick(['yesterday', '2020-13-01', 1, null, '9999-01-01']) }),
    () => JSON.stringify({ ...valid, record: pick(['yes', 0, null]) }),
    () => JSON.stringify({ bars: pick([[], [{}], [1], 'x', [{ openTime: '2020-01-01' }]]) }),
    () => JSON.stringify({ ...valid, window: pick([[], [[]], [[1]], [['x']], 'x']), lastClose: 1 }),
    () => JSON.stringify({ ...valid, window: [[1]], lastClose: -1, openTime: '2020-01-03' }),
    () => JSON.stringify({ ...valid, lastClose: 3 }),
    () => String.fromCharCode(...Array.from({ length: 40 }, () => Math.floor(random() * 0xd7ff))),
  ];
  return makers[n % makers.length]!();
}
