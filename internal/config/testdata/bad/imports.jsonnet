{
  a: import '/etc/passwd',
  b: importstr '../../../etc/passwd',
  c: import 'lib/nothere.libsonnet',
  d: import 'reprise/live-rigg.jsonnet',
  e: importstr 'lib',
  f: importstr 'lib/escape',
}
