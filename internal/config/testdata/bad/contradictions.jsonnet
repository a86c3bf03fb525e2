local base = {
  boot: { kernelPackages: 'linux' },
  users: { users: { a: {}, b: {}, c: { uid: 1001 }, d: { uid: 1001 } } },
};
base {
  musnix+: { kernel: { realtime: true }, rtirq: { enable: true, prioHigh: 60, prioLow: 80 } },
  services: {
    jack: { jackd: { enable: true } },
    getty: { autologinUser: 'rgi' },
    openssh: { enable: true, ports: [], settings: { AllowUsers: ['aa'] } },
  },
  hardware: { enableRedistributableFirmware: true },
  archive: { components: ['main'], securityMirror: 'https://s.example/debian-security' },
  networking: { defaultGateway: '10.0.0.1', interfaces: { eth0: { addresses: ['192.168.7.2/24'] } } },
  users+: { groups: { band: { gid: 1001, members: ['x'] }, other: {}, audio: { gid: 2000 }, a: { gid: 7000 } } },
  systemd: { user: { units: {
    'a.service': { enable: false, text: '[Service]' },
    'c.service': {},
    'b.service.d/x.conf': { wantedBy: ['default.target'] },
  } } },
}
