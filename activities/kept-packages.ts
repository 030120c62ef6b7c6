import type { HeldPackage, PastAnswerParts } from '../registry/past-answers.ts';

/** Packages that stay open, for the next instrument will ask them again. */
const KEPT = 4;

export interface KeptPackages {
  /** The parts, with packages that are opened once. */
  readonly parts: PastAnswerParts;
  /** Lets all of them go. */
  close(): Promise<void>;
}

/** For work that asks one question after the other, mostly of the same versions; never of two at once. */
export function keepPackages(parts: PastAnswerParts): KeptPackages {
  const kept = new Map<string, Promise<HeldPackage>>();
  const letGo = async (key: string): Promise<void> => {
    const held = kept.get(key);
    kept.delete(key);
    await held?.then(
      ({ release }) => release(),
      () => undefined,
    );
  };
  const open: PastAnswerParts['open'] = async (version, instants) => {
    const key = version.packageDigest;
    const held = kept.get(key) ?? parts.open(version, instants);
    // The one that was asked last stands last.
    kept.delete(key);
    kept.set(key, held);
    const [oldest] = kept.keys();
    if (kept.size > KEPT && oldest !== undefined) await letGo(oldest);
    try {
      return { opened: (await held).opened, release: () => undefined };
    } catch (error) {
      kept.delete(key);
      throw error;
    }
  };
  return {
    parts: { ...parts, open },
    close: async () => {
      for (const key of [...kept.keys()]) await letGo(key);
    },
  };
}
