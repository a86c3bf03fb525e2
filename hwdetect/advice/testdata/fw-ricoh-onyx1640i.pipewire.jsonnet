// The hardware of this machine: LENOVO Laptop, Intel(R) Core(TM) i5-2520M CPU @ 2.50GHz, 2 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// To do by hand:
// - This laptop runs on its battery now: plug it in before you measure or play.
//
// Good to know:
// - 2 cores: with fewer than 4 alike, no CPU is set apart.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// FireWire:
// - FireWire controller (1180:e832) (PCI 0000:0d:00.3): usable. Ricoh's chips have a faulty cycle
//   timer and no message interrupts; dropouts have been seen with most units. A Texas Instruments
//   controller is better.
//
// Where to begin with the other cards:
// - HDA Intel PCH (8086:1c20) (PCI 0000:00:1b.0): alsa, 48000 Hz, 256 frames, 2 periods.
{
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Core(TM) i5-2520M CPU @ 2.50GHz: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of LENOVO Laptop, Intel(R) Core(TM) i5-2520M CPU @ 2.50GHz, 2 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Loud Technologies Inc. Onyx 1640i (vendor
      // 0x000ff2, model 0x001640) at 90, the sound server below it.
      enable: true,
      // Loud Technologies Inc. Onyx 1640i (vendor 0x000ff2, model 0x001640): its sound comes
      // through the FireWire controller's interrupt, so that goes first.
      nameList: 'firewire_ohci snd usb i8042',
    },
  },
  powerManagement+: {
    // The clock of Intel(R) Core(TM) i5-2520M CPU @ 2.50GHz (driver intel_pstate) stays high: going
    // up takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
    // This is a laptop with a battery (BAT0): there the clock follows the load. Plug it in to play.
    cpuFreqGovernorOnBattery: 'powersave',
  },
  services+: {
    pipewire+: {
      extraConfig+: {
        pipewire+: {
          '90-hardware'+: {
            'context.properties'+: {
              // Loud Technologies Inc. Onyx 1640i (vendor 0x000ff2, model 0x001640): 128 frames at
              // 48000 Hz are 2.7 ms a period. Start here, and measure.
              // ALSA's FireWire drivers do not work well with two periods; with three, 128 frames
              // were seen to hold.
              // JACK runs in synchronous mode (-S), as the drivers' maintainer asks.
              // Dropouts at equal distances, every 110 s or so, come from the device's clock: try
              // its native rate (48000 Hz) or another port. A larger buffer does not help.
              'default.clock.quantum': 128,
              // Loud Technologies Inc. Onyx 1640i (vendor 0x000ff2, model 0x001640): one rate for
              // all, 48000 Hz. Programs with another are converted.
              'default.clock.rate': 48000,
            },
          },
        },
      },
      wireplumber+: {
        extraConfig+: {
          '90-hardware'+: {
            'monitor.alsa.rules'+: [
              // Loud Technologies Inc. Onyx 1640i (vendor 0x000ff2, model 0x001640): the Pro Audio
              // profile has all its channels and nothing in between.
              {
                actions: { 'update-props': { 'device.profile': 'pro-audio' } },
                matches: [
                  {
                    'api.alsa.card.longname': '~Loud Technologies Inc. Onyx 1640i .OXFW971 0.. '
                      + 'GUID 000ff.*',
                    'device.name': '~alsa_card.*',
                  },
                ],
              },
              // Loud Technologies Inc. Onyx 1640i (vendor 0x000ff2, model 0x001640) is the card
              // that is meant: it goes before displays, webcams and loopbacks, whatever their
              // numbers.
              // FireWire wants three periods.
              {
                actions: {
                  'update-props': {
                    'api.alsa.period-num': 3,
                    'priority.driver': 3000,
                    'priority.session': 3000,
                  },
                },
                matches: [
                  {
                    'api.alsa.card.longname': '~Loud Technologies Inc. Onyx 1640i .OXFW971 0.. '
                      + 'GUID 000ff.*',
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
// Intel(R) Core(TM) i5-2520M CPU @ 2.50GHz runs two threads on a core: one can hold up the other at
// high load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
