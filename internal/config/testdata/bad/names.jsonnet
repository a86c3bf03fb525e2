{
  networking: {
    hostName: 'Live Rig.local',
    domain: '-x',
    nameservers: ['192.168.7', '::1'],
    interfaces: { 'a/b': {}, enp3s0: { addresses: ['192.168.7.2'] } },
    timeServers: ['pool ntp'],
  },
  users: {
    users: { 'Rig User': {}, audio: {}, daemon: {}, rig: { shell: 'bash', home: 'home/rig', extraGroups: ['audoi', 'wheel', 'bandd'] } },
    groups: { Band: {}, band: {}, wheel: {} },
  },
  time: { timeZone: 'berlin' },
  i18n: { defaultLocale: 'de_DE', supportedLocales: ['de_DE.UTF-8'] },
  boot: {
    kernelPackages: 'linuxPackages_rt',
    kernelParams: ['threadirq', 'root=/dev/sda1', 'a b', 'preempt=full'],
    kernelModules: ['snd-seq.ko'],
    initrd: { supportedFilesystems: ['zfs'], luks: { devices: { root: { device: '/dev/sda3' }, 'a/b': {}, spare: {} } } },
  },
  fileSystems: { '/': { device: '/dev/sda1' }, 'srv': {}, '/mnt/x/': {}, '/usr/local': { device: '/dev/x' }, '/mnt/y': {} },
  environment: {
    etc: { '/etc/motd': { text: '' }, passwd: { text: '' }, a: {}, 'a/b': {}, '../x': {}, ok: { mode: '644' } },
    variables: { 'a-b': 'x', LV2_PATH: 'a"b' },
  },
  archive: { mirror: 'mirror.example/debian', suites: [], components: ['main', 'universe'] },
  systemd: { units: { click: {}, 'ssh.service': { enable: false, wantedBy: ['multi-user'] } } },
  services: { jack: { jackd: { extraOptions: ['-d dummy', '-p'] } } },
  musnix: { soundcardPciId: '00:1B.0' },
}
