local rig = import 'reprise/lib.libsonnet';
(import 'reprise/live-rig.jsonnet') + {
  tempo:: 120,
  networking+: { hostName: 'friends-rig' },
  systemd+: { user+: { units+: {
    'click.service': {
      text: rig.unit({ Service: { ExecStart: '/usr/bin/jack_metro -b %d' % $.tempo } }),
      wantedBy: ['default.target'],
    },
  } } },
}
