import type { ArtifactStore } from '../registry/artifact-store.ts';
import { openArtifactStore } from '../registry/artifacts.ts';
import type { Config } from './config.ts';
import { readPackageKeys } from './package-keys.ts';

/** The artifact store of a configuration, with the keys that it is encrypted with. Throws `config.package-keys`. */
export const artifactStoreOf = (config: Config): ArtifactStore =>
  openArtifactStore({ ...config, packageKeys: readPackageKeys(config) });
