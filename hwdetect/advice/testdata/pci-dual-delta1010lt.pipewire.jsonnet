// The hardware of this machine: Somebody Desktop, Intel(R) Core(TM)2 Quad CPU Q6600 @ 2.40GHz, 4
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// To do by hand:
// - M Audio Delta 1010LT (1412:1712) shares interrupt 22 with uhci_hcd:usb3: put the card into
//   another slot.
//
// Good to know:
// - M Audio Delta 1010LT (1412:1712) at 0000:05:01.0 is on a conventional PCI bus, too. Two cards
//   need a common word clock.
// - M Audio Delta 1010LT (1412:1712) at PCI 0000:05:00.0 is taken for the studio card. There is
//   also M Audio Delta 1010LT (1412:1712) at PCI 0000:05:01.0.
//
// Not known:
// - What chooses the clock of the processor is not known: the profile's governor stays.
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// Where to begin with the other cards:
// - M Audio Delta 1010LT (1412:1712) (PCI 0000:05:01.0): alsa, 48000 Hz, 128 frames, 2 periods.
{
  boot+: {
    kernelParams+: [
      // Intel(R) Core(TM)2 Quad CPU Q6600 @ 2.40GHz has 4 cores: interrupts are served by the first
      // one, the others are left to sound.
      'irqaffinity=0',
      // Intel(R) Core(TM)2 Quad CPU Q6600 @ 2.40GHz: the kernel's deferred work (RCU callbacks)
      // moves away from CPUs 1-3.
      'rcu_nocbs=1-3',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Core(TM)2 Quad CPU Q6600 @ 2.40GHz: its maker's corrections (microcode) are
        // loaded before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Desktop, Intel(R) Core(TM)2 Quad CPU Q6600 @ 2.40GHz, 4 cores
      // stands against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: M Audio Delta 1010LT (1412:1712) at 90, the
      // sound server below it.
      // M Audio Delta 1010LT (1412:1712): its own interrupt goes first, then USB and the keyboard.
      enable: true,
    },
    // M Audio Delta 1010LT (1412:1712) sits on a conventional PCI bus: it may hold the bus longest.
    // No other device is touched.
    soundcardPciId: '0000:05:00.0',
  },
  services+: {
    pipewire+: {
      extraConfig+: {
        pipewire+: {
          '90-hardware'+: {
            'context.properties'+: {
              // M Audio Delta 1010LT (1412:1712): 128 frames at 48000 Hz are 2.7 ms a period. Start
              // here, and measure.
              // A card in a slot does with two periods.
              'default.clock.quantum': 128,
              // M Audio Delta 1010LT (1412:1712): one rate for all, 48000 Hz. Programs with another
              // are converted.
              'default.clock.rate': 48000,
            },
          },
        },
      },
      wireplumber+: {
        extraConfig+: {
          '90-hardware'+: {
            'monitor.alsa.rules'+: [
              // M Audio Delta 1010LT (1412:1712): the Pro Audio profile has all its channels and
              // nothing in between.
              {
                actions: { 'update-props': { 'device.profile': 'pro-audio' } },
                matches: [
                  {
                    'api.alsa.card.longname': '~M Audio Delta 1010LT.*',
                    'device.name': '~alsa_card.*',
                  },
                ],
              },
              // M Audio Delta 1010LT (1412:1712) is the card that is meant: it goes before
              // displays, webcams and loopbacks, whatever their numbers.
              {
                actions: { 'update-props': { 'priority.driver': 3000, 'priority.session': 3000 } },
                matches: [
                  {
                    'api.alsa.card.longname': '~M Audio Delta 1010LT.*',
                    'node.name': '~alsa_(in|out)put.*',
                  },
                ],
              },
            ],
          },
        },
      },
    },
  },
}

// Offered, and not chosen:
//
// Intel(R) Core(TM)2 Quad CPU Q6600 @ 2.40GHz: CPU 3 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,3'] } }
//
// Intel(R) Core(TM)2 Quad CPU Q6600 @ 2.40GHz: no timer tick on CPU 3 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=3'] } }
