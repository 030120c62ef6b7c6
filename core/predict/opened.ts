import { packagedFeatureSet } from '../features/index.ts';
import type { OnnxSession, SessionOpener } from '../onnx/session.ts';
import { PackageError } from '../packages/files.ts';
import { decodeFloat64, probePackage, probeSamples } from '../packages/golden.ts';
import type { WindowShape } from '../packages/golden.ts';
import type { VerifiedPackage } from '../packages/verify.ts';
import type { MonteCarloOpener, MonteCarloRunner } from './mc.ts';

/** A package that may answer: verified, opened, and probed on this machine. */
export interface OpenedPackage {
  readonly verified: VerifiedPackage;
  readonly session: OnnxSession;
  readonly monteCarlo: MonteCarloRunner | undefined;
  /** Frees native memory; answers that are under way must have ended. */
  release(): Promise<void>;
}

/** What opens the graphs. Both get verified bytes only. */
export interface Openers {
  readonly openSession: SessionOpener;
  readonly openMonteCarlo: MonteCarloOpener;
}

export const windowShape = ({ preprocessing }: VerifiedPackage): WindowShape => ({
  lookback: preprocessing.lookback,
  features: preprocessing.featureNames.length,
});

/** The feature set's code must still be the one that the model was trained on. */
function checkFeatureSet({ manifest }: VerifiedPackage): void {
  if (packagedFeatureSet(manifest)) return;
  throw new PackageError(
    'package.features-changed',
    `${manifest.featureSet} is not the feature set that ${manifest.model} ${manifest.version} was trained on`,
    { trained: manifest.featureHash },
  );
}

async function probeMonteCarlo(pkg: VerifiedPackage, runner: MonteCarloRunner): Promise<void> {
  const { golden } = pkg;
  if (!golden.monteCarlo) return;
  const { lookback, features } = windowShape(pkg);
  const window = decodeFloat64(golden.windows).subarray(0, lookback * features);
  const { noiseKey, expected } = golden.monteCarlo;
  const instrument = golden.instrument?.[0];
  const samples = expected.length;
  probeSamples(await runner.sample({ window, samples, instrument, noiseKey }), golden);
}

/**
 * Opens a verified package and proves on this machine that it computes what its golden probes say.
 * Throws `package.features-changed`, `package.probe`, `onnx.open`; nothing stays open then.
 */
export async function openPackage(
  verified: VerifiedPackage,
  { openSession, openMonteCarlo }: Openers,
): Promise<OpenedPackage> {
  checkFeatureSet(verified);
  const session = await openSession(verified.model);
  let monteCarlo: MonteCarloRunner | undefined;
  const release = async (): Promise<void> => {
    await Promise.all([session.release(), monteCarlo?.release()]);
  };
  try {
    const shape = windowShape(verified);
    await probePackage(session, verified.golden, shape);
    if (verified.monteCarlo) {
      const { noiseWidth } = verified.preprocessing.confidence;
      monteCarlo = await openMonteCarlo(verified.monteCarlo, { ...shape, noiseWidth });
      await probeMonteCarlo(verified, monteCarlo);
    }
    return { verified, session, monteCarlo, release };
  } catch (error) {
    await release();
    throw error;
  }
}
