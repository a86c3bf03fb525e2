// A session for a greeter that is not there, which would start as root.
{
  services: {
    displayManager: { autoLogin: { enable: true, user: 'root' }, defaultSession: 'xfce' },
    xserver: { enable: true },
  },
}
