{
  networking: { hostname: 'rig', useDHPC: true },
  hostName: 'rig',
  musnix: { enabel: true, rtirq: { namelist: 'snd' }, rtcqs: { enable: true }, kernel: { packages: 'x' } },
  services: { ssh: { enable: true } },
  users: { users: { rig: { uid: 1000, password: 'x', hashedPassword: '$6$', extragroups: ['audio'] } } },
  system: { stateVersion: '25.05' },
  mine: 7,
  firewall: {},
}
