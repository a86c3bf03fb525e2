(import 'lib/broken.libsonnet') + (import 'lib/broken2.libsonnet') + (import 'lib/missing.libsonnet')
