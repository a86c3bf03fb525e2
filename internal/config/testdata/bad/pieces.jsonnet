{
  powerManagement: { cpuFreqGovernorOnBattery: 'powersave' },
  services: { pipewire: { wireplumber: { extraConfig: { '10-card': { 'monitor.alsa.rules': [] } } } } },
}
