{
  networking: 'rig',
  boot: {
    kernelParams: 'quiet threadirqs',
    kernel: { sysctl: { vm: { swappiness: 10 }, 'vm.swappiness': [10] } },
    loader: { timeout: '5' },
  },
  image: { espGenerations: 'big', marginMiB: 1.5 },
  musnix: { enable: 'yes', rtirq: { enable: 'no', prioHigh: 120, prioLow: -1 } },
  environment: { systemPackages: ['jackd2', 7, 'Ardour', ['less'], null], etc: { motd: 'hello' } },
  services: { openssh: { enable: 1, ports: ['22', 70000], settings: { PermitRootLogin: 'nope' } } },
  users: { users: ['rig'] },
  security: { pam: { loginLimits: [
    { domain: '@audio', type: '-', item: 'rtprio', value: 95 },
    { domain: '@audio', type: '-', item: 'rtprio' },
    { domain: '@audio', kind: 'hard', type: 'hardd', item: 'memlocked', value: true },
    'x',
  ] } },
}
