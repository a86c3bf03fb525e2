// A desktop without windows, a greeter for nobody, and microcode from nowhere.
{
  archive: { components: ['main'] },
  hardware: { cpu: { intel: { updateMicrocode: true } } },
  services: {
    displayManager: { autoLogin: { enable: true }, defaultSession: 'xfce' },
    xserver: {
      layout: 'de',
      desktopManager: { xfce: { enable: true } },
      xkb: { options: 'compose caps' },
    },
  },
}
