{
  networking: { hostName: 'rig' }
  musnix: { enable: true },
}
