// A desktop that starts by itself, on top of the studio.
(import 'reprise/studio.jsonnet') + {
  console: { keyMap: 'de-latin1' },
  hardware+: { cpu+: { amd+: { updateMicrocode: false } } },
  services+: {
    displayManager+: { autoLogin+: { enable: true, user: 'musician' }, defaultSession: 'xfce' },
    xserver+: { xkb+: { layout: 'de,us', variant: 'nodeadkeys,', options: 'grp:alt_shift_toggle' } },
  },
}
