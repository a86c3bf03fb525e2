// The hardware of this machine: LENOVO ThinkPad T14, 12th Gen Intel(R) Core(TM) i7-1270P, 2 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// To do by hand:
// - R5C832 PCIe IEEE 1394 Controller (1180:e832) shares its interrupt with iwl3945: put it into
//   another slot, or keep the other one switched off while you play.
//
// Good to know:
// - 2 cores: with fewer than 4 alike, no CPU is set apart.
//
// FireWire:
// - R5C832 PCIe IEEE 1394 Controller (1180:e832) (PCI 0000:0d:00.3): avoid. Ricoh's chips have a
//   faulty cycle timer and no message interrupts; dropouts have been seen with most units. A Texas
//   Instruments controller is better. It shares its interrupt with iwl3945.
//
// Where to begin with the other cards:
// - HD-Audio Generic (1022:15e3) (PCI 0000:00:1b.0): alsa, 48000 Hz, 256 frames, 2 periods.
{
  musnix+: {
    kernel+: {
      // No hardware of LENOVO ThinkPad T14, 12th Gen Intel(R) Core(TM) i7-1270P, 2 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: MOTU 828mk3 (vendor 0x0001f2, model 0x000000,
      // version 0x000015) at 90, the sound server below it.
      enable: true,
      // MOTU 828mk3 (vendor 0x0001f2, model 0x000000, version 0x000015): its sound comes through
      // the FireWire controller's interrupt, so that goes first.
      nameList: 'firewire_ohci snd usb i8042',
    },
  },
  powerManagement+: {
    // The clock of 12th Gen Intel(R) Core(TM) i7-1270P (driver intel_pstate) stays high: going up
    // takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
    // This is a laptop with a battery (BAT0): there the clock follows the load. Plug it in to play.
    cpuFreqGovernorOnBattery: 'powersave',
    // 12th Gen Intel(R) Core(TM) i7-1270P sleeps in states that take long to leave (C10 680 µs): a
    // small box must not get hot, so only the deepest go, and on battery none.
    maxIdleLatency: 200,
  },
  services+: {
    pipewire+: {
      extraConfig+: {
        pipewire+: {
          '90-hardware'+: {
            'context.properties'+: {
              // MOTU 828mk3 (vendor 0x0001f2, model 0x000000, version 0x000015): 128 frames at
              // 48000 Hz are 2.7 ms a period. Start here, and measure.
              // ALSA's FireWire drivers do not work well with two periods; with three, 128 frames
              // were seen to hold.
              // JACK runs in synchronous mode (-S), as the drivers' maintainer asks.
              // Dropouts at equal distances, every 110 s or so, come from the device's clock: try
              // its native rate (48000 Hz) or another port. A larger buffer does not help.
              'default.clock.quantum': 128,
              // MOTU 828mk3 (vendor 0x0001f2, model 0x000000, version 0x000015): one rate for all,
              // 48000 Hz. Programs with another are converted.
              'default.clock.rate': 48000,
            },
          },
        },
      },
      wireplumber+: {
        extraConfig+: {
          '90-hardware'+: {
            'monitor.alsa.rules'+: [
              // MOTU 828mk3 (vendor 0x0001f2, model 0x000000, version 0x000015): the Pro Audio
              // profile has all its channels and nothing in between.
              {
                actions: { 'update-props': { 'device.profile': 'pro-audio' } },
                matches: [
                  { 'api.alsa.card.longname': '~MOTU 828mk3.*', 'device.name': '~alsa_card.*' },
                ],
              },
              // MOTU 828mk3 (vendor 0x0001f2, model 0x000000, version 0x000015) is the card that is
              // meant: it goes before displays, webcams and loopbacks, whatever their numbers.
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
                    'api.alsa.card.longname': '~MOTU 828mk3.*',
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
// 12th Gen Intel(R) Core(TM) i7-1270P: the kernel works around a weakness (spectre_v2), which costs
// time at every entry into the kernel.
// Programs, and pages in a browser, can then read what other programs keep in memory. For a machine
// that never meets the network.
// + { boot+: { kernelParams+: ['mitigations=off'] } }
//
// 12th Gen Intel(R) Core(TM) i7-1270P runs two threads on a core: one can hold up the other at high
// load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
