// The hardware of this machine: ASRock X570 Phantom Gaming 4, AMD Ryzen 7 3700X 8-Core Processor, 2
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - 2 cores: with fewer than 4 alike, no CPU is set apart.
// - M Audio Delta 1010LT (1412:1712) at 0000:07:02.0 is on a conventional PCI bus, too. Two cards
//   need a common word clock.
// - M Audio Delta 1010LT (1412:1712) is there besides M Audio Delta 1010LT (1412:1712), which is
//   taken for the studio card.
//
// Where to begin with the other cards:
// - M Audio Delta 1010LT (1412:1712) (PCI 0000:07:02.0): alsa, 48000 Hz, 128 frames, 2 periods.
{
  musnix+: {
    kernel+: {
      // No hardware of ASRock X570 Phantom Gaming 4, AMD Ryzen 7 3700X 8-Core Processor, 2 cores
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
    soundcardPciId: '0000:07:01.0',
  },
  powerManagement+: {
    // The clock of AMD Ryzen 7 3700X 8-Core Processor (driver acpi-cpufreq) stays high: going up
    // takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
    // AMD Ryzen 7 3700X 8-Core Processor sleeps in states that take long to leave (C3 350 µs): on
    // mains power heat is carried off.
    maxIdleLatency: 50,
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
// AMD Ryzen 7 3700X 8-Core Processor: the kernel works around a weakness (spectre_v2), which costs
// time at every entry into the kernel.
// Programs, and pages in a browser, can then read what other programs keep in memory. For a machine
// that never meets the network.
// + { boot+: { kernelParams+: ['mitigations=off'] } }
