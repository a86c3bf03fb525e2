// The hardware of this machine: Somebody Desktop, 13th Gen Intel(R) Core(TM) i7-13700K, 16 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// What does not go together:
// - NVIDIA (10de:2782): the maker's own modules refuse to be built for PREEMPT_RT, so the stock
//   kernel is the default, with preempt=full and threadirqs. With the free driver nouveau the
//   PREEMPT_RT kernel runs, too: musnix.kernel.realtime true brings it back.
//
// Good to know:
// - No audio interface was found: HDA NVidia (10de:22bc) (hdmi) is taken. Plug yours in and ask
//   again.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
{
  boot+: {
    kernelParams+: [
      // Preemption almost as with PREEMPT_RT, for the stock kernel that NVIDIA (10de:2782) asks
      // for.
      'preempt=full',
      // Interrupt threads with priorities, for the stock kernel that NVIDIA (10de:2782) asks for.
      // Priorities of interrupts need threads for them.
      'threadirqs',
      // 13th Gen Intel(R) Core(TM) i7-13700K has 8 cores for performance: interrupts are served by
      // the first two and the efficiency cores, the others are left to sound.
      'irqaffinity=0-3,16-23',
      // 13th Gen Intel(R) Core(TM) i7-13700K: the kernel's deferred work (RCU callbacks) moves away
      // from CPUs 4-15.
      'rcu_nocbs=4-15',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // 13th Gen Intel(R) Core(TM) i7-13700K: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // NVIDIA (10de:2782): the maker's own modules refuse to be built for PREEMPT_RT, so the stock
      // kernel is the default, with preempt=full and threadirqs.
      // With the free driver nouveau the PREEMPT_RT kernel runs, too: musnix.kernel.realtime true
      // brings it back.
      realtime: false,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: HDA NVidia (10de:22bc) at 90, the sound server
      // below it.
      // HDA NVidia (10de:22bc): its own interrupt goes first, then USB and the keyboard.
      enable: true,
    },
  },
  powerManagement+: {
    // The clock of 13th Gen Intel(R) Core(TM) i7-13700K (driver intel_pstate) stays high: going up
    // takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    pipewire+: {
      extraConfig+: {
        pipewire+: {
          '90-hardware'+: {
            'context.properties'+: {
              // HDA NVidia (10de:22bc): 512 frames at 48000 Hz are 10.7 ms a period. Start here,
              // and measure.
              // A display's sound is known to need 512 frames and three periods.
              'default.clock.quantum': 512,
              // HDA NVidia (10de:22bc): one rate for all, 48000 Hz. Programs with another are
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
              // HDA NVidia (10de:22bc) is the card that is meant: it goes before displays, webcams
              // and loopbacks, whatever their numbers.
              {
                actions: { 'update-props': { 'priority.driver': 3000, 'priority.session': 3000 } },
                matches: [
                  { 'api.alsa.card.longname': '~HDA NVidia.*', 'node.name': '~alsa_(in|out)put.*' },
                ],
              },
            ],
          },
        },
      },
    },
  },
  systemd+: {
    user+: {
      units+: {
        // 13th Gen Intel(R) Core(TM) i7-13700K is a hybrid: the sound server runs on its
        // performance cores (CPUs 0-15), not on its efficiency cores.
        'pipewire.service.d/cores.conf': { text: '[Service]\nCPUAffinity=0-15\n' },
      },
    },
  },
}

// Offered, and not chosen:
//
// 13th Gen Intel(R) Core(TM) i7-13700K: CPUs 12-15 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,12-15'] } }
//
// 13th Gen Intel(R) Core(TM) i7-13700K: no timer tick on CPUs 12-15 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=12-15'] } }
//
// 13th Gen Intel(R) Core(TM) i7-13700K runs two threads on a core: one can hold up the other at
// high load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
