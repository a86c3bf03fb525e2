// A session that should start by itself, of somebody who is not there.
{
  services: {
    displayManager: { autoLogin: { enable: true, user: 'musican' } },
    xserver: { enable: true, displayManager: { lightdm: { enable: true } } },
  },
  users: { users: { musician: {} } },
}
