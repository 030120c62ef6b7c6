/**
 * How often a fault is injected: few times in `npm test`, the full number in `npm run test:faults`.
 * RATCHET_TEST_ROUNDS overrides both.
 */
export function rounds(reduced: number, full: number): number {
  const asked = Number(process.env['RATCHET_TEST_ROUNDS']);
  if (Number.isInteger(asked) && asked > 0) return asked;
  return process.env['RATCHET_TEST_FULL'] === '1' ? full : reduced;
}
