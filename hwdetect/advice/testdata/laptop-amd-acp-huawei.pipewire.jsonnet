// The hardware of this machine: HUAWEI BOM-WXX9, AMD Ryzen 7 5700U with Radeon Graphics, 8 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - No audio interface was found: acp3xes83xx (1022:15e2) (onboard) is taken. Plug yours in and ask
//   again.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// Where to begin with the other cards:
// - HD-Audio Generic (1002:1637) (PCI 0000:03:00.1): alsa, 48000 Hz, 512 frames, 3 periods.
{
  boot+: {
    kernelParams+: [
      // AMD Ryzen 7 5700U with Radeon Graphics has 8 cores: interrupts are served by the first two,
      // the others are left to sound.
      'irqaffinity=0-3',
      // AMD Ryzen 7 5700U with Radeon Graphics: the kernel's deferred work (RCU callbacks) moves
      // away from CPUs 4-15.
      'rcu_nocbs=4-15',
    ],
  },
  hardware+: {
    cpu+: {
      amd+: {
        // AMD Ryzen 7 5700U with Radeon Graphics: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of HUAWEI BOM-WXX9, AMD Ryzen 7 5700U with Radeon Graphics, 8 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: acp3xes83xx (1022:15e2) at 90, the sound server
      // below it.
      // acp3xes83xx (1022:15e2): its own interrupt goes first, then USB and the keyboard.
      enable: true,
    },
  },
  powerManagement+: {
    // The clock of AMD Ryzen 7 5700U with Radeon Graphics (driver acpi-cpufreq) stays high: going
    // up takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    pipewire+: {
      extraConfig+: {
        pipewire+: {
          '90-hardware'+: {
            'context.properties'+: {
              // acp3xes83xx (1022:15e2): 512 frames at 48000 Hz are 10.7 ms a period. Start here,
              // and measure.
              // A DSP stands before this codec, with buffers of its own.
              'default.clock.quantum': 512,
              // acp3xes83xx (1022:15e2): one rate for all, 48000 Hz. Programs with another are
              // converted.
              'default.clock.rate': 48000,
            },
          },
        },
      },
      wireplumber+: {
        extraConfig+: {
          '90-hardware'+: {
            'monitor.alsa.rules'+: [
              // acp3xes83xx (1022:15e2) is the card that is meant: it goes before displays, webcams
              // and loopbacks, whatever their numbers.
              {
                actions: { 'update-props': { 'priority.driver': 3000, 'priority.session': 3000 } },
                matches: [
                  {
                    'api.alsa.card.longname': '~HUAWEI-BOM_WXX9-M1010.*',
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
// AMD Ryzen 7 5700U with Radeon Graphics: CPUs 12-15 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,12-15'] } }
//
// AMD Ryzen 7 5700U with Radeon Graphics: no timer tick on CPUs 12-15 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=12-15'] } }
//
// AMD Ryzen 7 5700U with Radeon Graphics runs two threads on a core: one can hold up the other at
// high load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
