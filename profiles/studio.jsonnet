// studio: a PC to record, play and mix on. It starts to a greeter; behind it
// are Xfce, PipeWire in real time, and Ardour.
//
//   reprise build studio -o studio.iso
//
// To make it yours, write a file of your own, say my-studio.jsonnet, with what
// differs. `+:` goes into an object or adds to a list, `:` replaces:
//
//   (import 'reprise/studio.jsonnet') + {
//     networking+: { hostName: 'my-studio' },
//     environment+: { systemPackages+: ['hydrogen', 'lsp-plugins-lv2'] },
//   }
//
// Every option is described in docs/options.md.
{
  networking: {
    hostName: 'studio',
    networkmanager: { enable: true },  // wireless networks are chosen from the panel
  },

  time: { timeZone: 'Etc/UTC' },
  i18n: { defaultLocale: 'C.UTF-8' },

  // Real time: Debian's PREEMPT_RT kernel, and musnix's tuning of the rest.
  musnix: {
    enable: true,
    kernel: { realtime: true },
    rtirq: { enable: true },
  },

  // Messages on the screen and on the serial line, if there is one.
  boot: {
    kernelParams: ['console=tty0', 'console=ttyS0,115200'],
  },

  // It starts on any PC: firmware for its wireless, graphics and sound
  // hardware, and corrections of its processor.
  hardware: {
    enableRedistributableFirmware: true,
    cpu: {
      amd: { updateMicrocode: true },
      intel: { updateMicrocode: true },
    },
  },

  users: {
    users: {
      musician: {
        description: 'Musician',
        uid: 1000,
        // audio: real-time priority; netdev: networks for all users; wheel: sudo
        extraGroups: ['audio', 'netdev', 'wheel'],
        openssh: {
          // Your public keys, or reprise build --authorize KEY.pub.
          authorizedKeys: { keys: [] },
        },
      },
    },
  },

  services: {
    openssh: { enable: true },

    // One sound server for all: programs made for JACK (Ardour, Guitarix),
    // PulseAudio (browsers) and ALSA play through PipeWire together.
    pipewire: {
      enable: true,
      alsa: { enable: true },
      jack: { enable: true },
      pulse: { enable: true },
    },

    xserver: {
      enable: true,
      desktopManager: { xfce: { enable: true } },
      displayManager: { lightdm: { enable: true } },
    },
  },

  security: {
    polkit: { enable: true },
    rtkit: { enable: true },
    sudo: { enable: true },
  },

  environment: {
    systemPackages: [
      'ardour',
      'guitarix',  // an amplifier and its pedals
      'guitarix-lv2',
      'samplv1',  // a sampler
      'samplv1-lv2',
      'calf-plugins',  // equalizers, compressors, reverbs, synthesizers
      'qpwgraph',  // who is connected to whom

      'alsa-utils',  // alsamixer, aplay, arecord
      'jack-example-tools',  // jack_lsp, jack_connect
      'less',
      'nano',
      'rt-tests',  // cyclictest: how late does this machine come?
    ],
  },

  // With room to record, even before the disk is larger than the image.
  image: { marginMiB: 512 },
}
