// The hardware of this machine: Somebody Desktop, Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz, 8
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - Focusrite SAFFIRE_PRO_40 (vendor 0x00130e, model 0x000005) has two drivers, and one excludes
//   the other: ALSA's snd_dice, for every program, and FFADO, for JACK alone and with a shorter
//   way. ALSA's is chosen.
// - Focusrite SAFFIRE_PRO_40_1 (vendor 0x00130e, model 0x0000de) has two drivers, and one excludes
//   the other: ALSA's snd_dice, for every program, and FFADO, for JACK alone and with a shorter
//   way. ALSA's is chosen.
// - Focusrite LIQUID_SAFFIRE_56 (vendor 0x00130e, model 0x000006) has two drivers, and one excludes
//   the other: ALSA's snd_dice, for every program, and FFADO, for JACK alone and with a shorter
//   way. ALSA's is chosen.
// - Focusrite SAFFIRE_PRO_40 (vendor 0x00130e, model 0x000005) at FireWire fw1.0 is taken for the
//   studio card. There is also Focusrite SAFFIRE_PRO_40_1 (vendor 0x00130e, model 0x0000de) at
//   FireWire fw2.0, Focusrite LIQUID_SAFFIRE_56 (vendor 0x00130e, model 0x000006) at FireWire fw3.0
//   and Focusrite Pro10IO (vendor 0x00130e, model 0x000006) at FireWire fw4.0.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// FireWire:
// - FireWire controller (11c1:5901) (PCI 0000:02:00.0): good. LSI's chips need no workaround that
//   matters.
//
// Where to begin with the other cards:
// - Focusrite SAFFIRE_PRO_40_1 (vendor 0x00130e, model 0x0000de) (FireWire fw2.0): alsa, 48000 Hz,
//   64 frames, 3 periods. Or ffado: 128 frames, 3 periods.
// - Focusrite LIQUID_SAFFIRE_56 (vendor 0x00130e, model 0x000006) (FireWire fw3.0): alsa, 48000 Hz,
//   64 frames, 3 periods. Or ffado: 128 frames, 3 periods.
// - Focusrite Pro10IO (vendor 0x00130e, model 0x000006) (FireWire fw4.0): alsa, 48000 Hz, 256
//   frames, 3 periods.
{
  boot+: {
    kernelParams+: [
      // Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz has 8 cores: interrupts are served by the first
      // two, the others are left to sound.
      'irqaffinity=0-1',
      // Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz: the kernel's deferred work (RCU callbacks) moves
      // away from CPUs 2-7.
      'rcu_nocbs=2-7',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Desktop, Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz, 8 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Focusrite SAFFIRE_PRO_40 (vendor 0x00130e, model
      // 0x000005) at 90, the sound server below it.
      enable: true,
      // Focusrite SAFFIRE_PRO_40 (vendor 0x00130e, model 0x000005): its sound comes through the
      // FireWire controller's interrupt, so that goes first.
      nameList: 'firewire_ohci snd usb i8042',
    },
  },
  powerManagement+: {
    // The clock of Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz (driver intel_pstate) stays high: going
    // up takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    pipewire+: {
      extraConfig+: {
        pipewire+: {
          '90-hardware'+: {
            'context.properties'+: {
              // Focusrite SAFFIRE_PRO_40 (vendor 0x00130e, model 0x000005): 64 frames at 48000 Hz
              // are 1.3 ms a period. Start here, and measure.
              // ALSA's driver for DICE adds about four periods of its own, so periods are short.
              // JACK runs in synchronous mode (-S), as the drivers' maintainer asks.
              // The rate is a setting of the unit (clock-rate in amixer): set it before the server
              // starts.
              // Dropouts at equal distances, every 110 s or so, come from the device's clock: try
              // its native rate (48000 Hz) or another port. A larger buffer does not help.
              'default.clock.quantum': 64,
              // Focusrite SAFFIRE_PRO_40 (vendor 0x00130e, model 0x000005): one rate for all, 48000
              // Hz. Programs with another are converted.
              'default.clock.rate': 48000,
            },
          },
        },
      },
      wireplumber+: {
        extraConfig+: {
          '90-hardware'+: {
            'monitor.alsa.rules'+: [
              // Focusrite SAFFIRE_PRO_40 (vendor 0x00130e, model 0x000005): the Pro Audio profile
              // has all its channels and nothing in between.
              {
                actions: { 'update-props': { 'device.profile': 'pro-audio' } },
                matches: [
                  {
                    'api.alsa.card.longname': '~Focusrite SAFFIRE_PRO_40.*',
                    'device.name': '~alsa_card.*',
                  },
                ],
              },
              // Focusrite SAFFIRE_PRO_40 (vendor 0x00130e, model 0x000005) is the card that is
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
                    'api.alsa.card.longname': '~Focusrite SAFFIRE_PRO_40.*',
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
// Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz: CPUs 6-7 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,6-7'] } }
//
// Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz: no timer tick on CPUs 6-7 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=6-7'] } }
