// The hardware of this machine: Somebody Desktop, Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz, 4 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// FireWire:
// - FireWire controller (104c:8025) (PCI 0000:05:00.0): usable. Texas Instruments' chips are the
//   best known; the kernel works around faults of this old one.
{
  boot+: {
    kernelParams+: [
      // Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz has 4 cores: interrupts are served by the first
      // one, the others are left to sound.
      'irqaffinity=0-1',
      // Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz: the kernel's deferred work (RCU callbacks) moves
      // away from CPUs 2-7.
      'rcu_nocbs=2-7',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Desktop, Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz, 4 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Digidesign 003Rack (vendor 0x00a07e, model
      // 0x000002) at 90, the sound server below it.
      enable: true,
      // Digidesign 003Rack (vendor 0x00a07e, model 0x000002): its sound comes through the FireWire
      // controller's interrupt, so that goes first.
      nameList: 'firewire_ohci snd usb i8042',
    },
  },
  powerManagement+: {
    // The clock of Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz (driver intel_pstate) stays high: going
    // up takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    pipewire+: {
      extraConfig+: {
        pipewire+: {
          '90-hardware'+: {
            'context.properties'+: {
              // Digidesign 003Rack (vendor 0x00a07e, model 0x000002): 128 frames at 48000 Hz are
              // 2.7 ms a period. Start here, and measure.
              // ALSA's FireWire drivers do not work well with two periods; with three, 128 frames
              // were seen to hold.
              // JACK runs in synchronous mode (-S), as the drivers' maintainer asks.
              // Dropouts at equal distances, every 110 s or so, come from the device's clock: try
              // its native rate (48000 Hz) or another port. A larger buffer does not help.
              'default.clock.quantum': 128,
              // Digidesign 003Rack (vendor 0x00a07e, model 0x000002): one rate for all, 48000 Hz.
              // Programs with another are converted.
              'default.clock.rate': 48000,
            },
          },
        },
      },
      wireplumber+: {
        extraConfig+: {
          '90-hardware'+: {
            'monitor.alsa.rules'+: [
              // Digidesign 003Rack (vendor 0x00a07e, model 0x000002): the Pro Audio profile has all
              // its channels and nothing in between.
              {
                actions: { 'update-props': { 'device.profile': 'pro-audio' } },
                matches: [
                  {
                    'api.alsa.card.longname': '~Digidesign 003Rack. GUID 00a07e.*',
                    'device.name': '~alsa_card.*',
                  },
                ],
              },
              // Digidesign 003Rack (vendor 0x00a07e, model 0x000002) is the card that is meant: it
              // goes before displays, webcams and loopbacks, whatever their numbers.
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
                    'api.alsa.card.longname': '~Digidesign 003Rack. GUID 00a07e.*',
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
// Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz: CPUs 6-7 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,6-7'] } }
//
// Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz: no timer tick on CPUs 6-7 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=6-7'] } }
//
// Intel(R) Core(TM) i7-4770 CPU @ 3.40GHz runs two threads on a core: one can hold up the other at
// high load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
