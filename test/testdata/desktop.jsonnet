// A desktop of a few hundred packages, for the oracle of internal/effect: the
// larger the set, the more of the scripts and triggers of Debian take part.
(import 'reprise/live-rig.jsonnet') + {
  networking+: { hostName: 'desktop', networkmanager: { enable: true } },
  environment+: {
    systemPackages+: [
      // the desktop
      'xfce4', 'xfce4-terminal', 'thunar-volman', 'lightdm', 'lightdm-gtk-greeter', 'xorg', 'gvfs', 'gvfs-backends', 'labwc', 'openbox',
      'fonts-dejavu', 'fonts-noto-core', 'xdg-user-dirs', 'xdg-desktop-portal-gtk', 'pavucontrol', 'man-db', 'info', 'locales',
      // sound
      'pipewire', 'pipewire-jack', 'pipewire-alsa', 'pipewire-pulse', 'wireplumber', 'ardour', 'guitarix', 'qjackctl', 'qpwgraph',
      'lsp-plugins-lv2', 'calf-plugins', 'fluidsynth', 'fluid-soundfont-gm', 'ffmpeg', 'rtkit',
      // hardware and network
      'network-manager-gnome', 'bluez', 'blueman', 'cups', 'avahi-daemon', 'udisks2', 'upower', 'polkitd',
    ],
  },
}
