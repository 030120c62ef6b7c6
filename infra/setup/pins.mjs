/** Versions and digests of everything that set-up fetches outside npm. */
export const PINS = {
  node: [20, 19],
  temporal: { module: 'github.com/temporalio/cli/cmd/temporal', version: 'v1.5.1' },
  versitygw: { module: 'github.com/versity/versitygw/cmd/versitygw', version: 'v1.8.0' },
  mavenDependencyPlugin: 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1',
  tensorflow: {
    version: '2.21.0',
    /** Only the library is taken out of the wheel, so one Python tag serves every Python. */
    pythonVersion: '3.11',
    wheels: {
      'linux-x64': {
        name: 'tensorflow-cpu',
        platform: 'manylinux_2_27_x86_64',
        sha256: '2b847d217b02ee7731ed91431daf3250daa0196c3c94614d23be27232e6e5b6c',
      },
      'linux-x64-cuda': {
        name: 'tensorflow',
        platform: 'manylinux_2_27_x86_64',
        sha256: '9056fbc9ba04235810b71ae6cbd958a196e8804fb53bbcffbf3e23b56155f124',
      },
      'linux-arm64': {
        name: 'tensorflow',
        platform: 'manylinux_2_27_aarch64',
        sha256: '4b24aca16d527a3cf1c37f720c04c484c3d20f4d0fdfa98632ac8b9f3be6eb5c',
      },
    },
  },
  trees: {
    pythonVersion: '3.11',
    /** LightGBM first; XGBoost without its CUDA code, which would be 130 MB. */
    wheels: {
      'linux-x64': [
        {
          name: 'lightgbm',
          version: '4.7.0',
          platform: 'manylinux_2_27_x86_64',
          sha256: 'd23e922acd891e77212e4d0fbcee9ba973c96dee479491341d05ba595357ebb7',
        },
        {
          name: 'xgboost-cpu',
          version: '3.2.0',
          platform: 'manylinux_2_28_x86_64',
          sha256: '9c10b1653e1a689bf4094a328144cf3633c9be0e5217a76fbdc2fde6abcb2950',
        },
      ],
      'linux-arm64': [
        {
          name: 'lightgbm',
          version: '4.7.0',
          platform: 'manylinux_2_17_aarch64',
          sha256: 'd4529acec5c6fefe4768302a529707d0ead90f6a6f42df694b856212e09695b8',
        },
        {
          name: 'xgboost-cpu',
          version: '3.2.0',
          platform: 'manylinux_2_28_aarch64',
          sha256: '896b9e2bc52ec0921edf92ddd1cebedf47032e94992b7aca0293524d380ce6e9',
        },
      ],
    },
  },
};
