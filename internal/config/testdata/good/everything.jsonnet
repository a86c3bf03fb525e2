// Every module, and every option that is not in another file here.
{
  archive: {
    mirror: 'https://mirror.studio.example/debian/',
    suites: ['trixie'],
    components: ['main', 'non-free-firmware', 'main'],
    sources: ['https://old.studio.example/debian'],
    snapshots: ['https://snapshot.studio.example/archive/debian'],
  },
  boot: {
    kernelPackages: 'linux-image-6.12.48+deb13-rt-amd64',
    kernelParams: ['quiet', 'dyndbg="file usb* +p"'],
    kernelModules: ['snd-seq'],
    blacklistedKernelModules: ['snd_pcsp'],
    extraModprobeConfig: 'options snd_usb_audio index=0',
    initrd: { availableKernelModules: ['nvme', 'megaraid_sas'], kernelModules: ['i915'] },
    loader: { timeout: 0 },
  },
  console: { keyMap: 'de-latin1' },
  environment: {
    etc: { motd: { text: 'Hello.\n' }, 'secret/key': { text: 'x', mode: '0600' } },
    recommends: true,
    systemPackages: ['less', null, 'less', 'sudo'],
  },
  fileSystems: { '/mnt/samples': { device: '/dev/disk/by-label/samples', fsType: 'ext4' } },
  hardware: { enableRedistributableFirmware: true },
  i18n: { defaultLocale: 'de_DE.UTF-8', supportedLocales: ['en_GB.UTF-8/UTF-8'] },
  image: { espGenerations: 20, marginMiB: 1024 },
  musnix: {
    enable: true,
    alsaSeq: { enable: false },
    das_watchdog: { enable: true },
    ffado: { enable: true },
    kernel: { realtime: true },
    rtirq: { enable: true, highList: 'timer', nameList: 'snd usb', resetAll: 1 },
    soundcardPciId: '00:1b.0',
  },
  networking: { domain: 'studio.example', useDHCP: false, nameservers: ['192.168.7.1', 'fd00::1'], timeServers: ['ntp.studio.example'] },
  powerManagement: { cpuFreqGovernor: 'schedutil' },
  security: {
    pam: { loginLimits: [{ domain: '@audio', type: '-', item: 'rtprio', value: 99 }] },
    sudo: { enable: true },
  },
  services: {
    getty: { autologinUser: 'rig' },
    jack: { jackd: { enable: true } },
    openssh: { enable: true, ports: [22, 2222], settings: { PermitRootLogin: 'no', AllowUsers: ['rig'] }, extraConfig: 'MaxAuthTries 3' },
    udev: { extraRules: 'KERNEL=="midi*", GROUP="audio"' },
  },
  systemd: {
    units: { 'apt-daily.timer': { enable: false }, 'ssh.service.d/nice.conf': { text: '[Service]\nNice=5\n' } },
    user: { units: { 'jackd.service': { text: '[Service]\nExecStart=/usr/bin/jackd -d dummy\n' } } },
  },
  time: { timeZone: 'Europe/Berlin' },
  users: {
    users: { rig: { description: 'Live rig', extraGroups: ['wheel', 'sudo', 'audio', 'band'], shell: '/bin/sh', home: '/srv/rig' }, root: {} },
    groups: { band: { gid: 1500, members: ['rig'] }, audio: {} },
  },
}
