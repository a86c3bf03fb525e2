// A desktop without a screen to be on, and settings for a greeter that is not there.
{
  services: {
    displayManager: { defaultSession: 'xfce.desktop' },
    xserver: { desktopManager: { xfce: { enable: true } }, displayManager: { lightdm: { enable: true } } },
  },
}
