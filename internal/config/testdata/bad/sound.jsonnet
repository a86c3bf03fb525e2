// Two sound servers, settings for one that is not there, and a battery alone.
{
  powerManagement: { cpuFreqGovernorOnBattery: 'powersave', maxIdleLatency: -1 },
  services: {
    jack: { jackd: { enable: true } },
    pipewire: {
      jack: { enable: true },
      extraConfig: { pipewire: { 'a/b': {}, '10-quantum.conf': { 'context.properties': {} }, '10-rate': 48000 } },
    },
  },
  users: { users: { rig: { extraGroups: ['audio'] } } },
}
