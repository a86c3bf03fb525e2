// Every function of the library, joined with all.
local rig = import 'reprise/lib.libsonnet';
rig.all([
  { services: { openssh: { enable: true } } },
  rig.withHostName('one'),
  rig.withHostName('two'),
  rig.withPackages(['less']),
  rig.withPackages(['nano', 'less']),
  rig.withUser('rig', 1000, groups=['wheel']),
  rig.withKey('rig', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEk4S2xdQ8hnZyKxV0jXDXBk3EMzBJ8UWt3XhPvdNBqH me@studio'),
  rig.withCard('hw:0', rate=96000, period=32, periods=3, priority=80),
  { systemd: { units: { 'click.service': {
    text: rig.unit({ Unit: { Description: 'Click' }, Service: { ExecStart: '/usr/bin/jack_metro -b 120', Environment: ['A=1', 'B=2'] } }),
    wantedBy: ['multi-user.target'],
  } } } },
])
