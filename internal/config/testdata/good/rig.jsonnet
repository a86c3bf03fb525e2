// Somebody else's rig, with what differs: the example of docs and README.
local rig = import 'reprise/lib.libsonnet';
local friend = import 'lib/friend.libsonnet';

friend {
  networking+: {
    hostName: 'my-rig',  // `:` replaces
    interfaces: { enp3s0: { addresses: ['192.168.7.2/24'] } },
    defaultGateway: '192.168.7.1',
  },
  environment+: {
    systemPackages+: ['guitarix'],  // `+:` adds
    variables+: { LV2_PATH: '$HOME/.lv2' },
  },
  boot+: { kernel+: { sysctl+: { 'vm.swappiness': 1, 'kernel.nmi_watchdog': false } } },
  // Late binding: `unit` of the friend's file sees this tempo.
  tempo:: 96,
}
+ rig.withCard('hw:CARD=USB', period=64)
+ rig.withKey('rig', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEk4S2xdQ8hnZyKxV0jXDXBk3EMzBJ8UWt3XhPvdNBqH me@studio\n')
+ rig.withUser('guest', 1001)
