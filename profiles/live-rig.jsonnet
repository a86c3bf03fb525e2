// live-rig: a box for the stage, without a screen. It starts, plays and is
// reached by ssh; no keyboard, no password.
//
//   reprise build live-rig --authorize ~/.ssh/id_ed25519.pub
//
// To make it yours, write a file of your own, say my-rig.jsonnet, with what
// differs. `+:` goes into an object or adds to a list, `:` replaces:
//
//   (import 'reprise/live-rig.jsonnet') + {
//     networking+: { hostName: 'my-rig' },
//     environment+: { systemPackages+: ['fluidsynth'] },
//   }
//
// Every option is described in docs/options.md.
{
  networking: {
    hostName: 'live-rig',
    useDHCP: true,
  },

  time: { timeZone: 'Etc/UTC' },
  i18n: { defaultLocale: 'C.UTF-8' },

  // Real time: Debian's PREEMPT_RT kernel, and musnix's tuning of the rest.
  musnix: {
    enable: true,
    kernel: { realtime: true },
    rtirq: { enable: true },
  },

  // Messages on the screen, where there is one, and on the serial line.
  boot: {
    kernelParams: ['console=tty0', 'console=ttyS0,115200'],
  },

  users: {
    users: {
      rig: {
        description: 'Live rig',
        uid: 1000,
        extraGroups: ['audio', 'wheel'],  // audio: real-time priority; wheel: sudo
        linger: true,  // start this user's services without a login
        openssh: {
          // Your public keys, or reprise build --authorize KEY.pub.
          authorizedKeys: { keys: [] },
        },
      },
    },
  },

  services: {
    openssh: { enable: true },

    // JACK, in real time, as a service of user rig. The dummy driver makes no
    // sound and runs everywhere; for a sound card put '-d', 'alsa', '-d', 'hw:0'
    // in its place.
    jack: {
      jackd: {
        enable: true,
        extraOptions: ['-R', '-P70', '-d', 'dummy', '-r', '48000', '-p', '128'],
      },
    },
  },

  // Nobody has a password here, so sudo must not ask for one.
  security: {
    sudo: { enable: true, wheelNeedsPassword: false },
  },

  environment: {
    systemPackages: [
      'alsa-utils',  // alsamixer, aplay, arecord
      'jack-example-tools',  // jack_lsp, jack_connect
      'less',
      'nano',
      'rt-tests',  // cyclictest: how late does this machine come?
    ],
  },
}
