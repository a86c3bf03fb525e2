// The hardware of this machine: Somebody Workstation, Intel(R) Xeon(R) CPU E5-2690 v2 @ 3.00GHz, 20
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
// - Sound device (10ee:3fc5) has no card yet: which one WirePlumber takes first is its own choice.
//   Choose it once, and it is remembered.
{
  boot+: {
    kernelParams+: [
      // Intel(R) Xeon(R) CPU E5-2690 v2 @ 3.00GHz has 20 cores: interrupts are served by the first
      // two, the others are left to sound.
      'irqaffinity=0-3',
      // Intel(R) Xeon(R) CPU E5-2690 v2 @ 3.00GHz: the kernel's deferred work (RCU callbacks) moves
      // away from CPUs 4-39.
      'rcu_nocbs=4-39',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Xeon(R) CPU E5-2690 v2 @ 3.00GHz: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Workstation, Intel(R) Xeon(R) CPU E5-2690 v2 @ 3.00GHz, 20 cores
      // stands against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Sound device (10ee:3fc5) at 90, the sound server
      // below it.
      // Sound device (10ee:3fc5): its own interrupt goes first, then USB and the keyboard.
      enable: true,
    },
  },
  powerManagement+: {
    // The clock of Intel(R) Xeon(R) CPU E5-2690 v2 @ 3.00GHz (driver intel_pstate) stays high:
    // going up takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    pipewire+: {
      extraConfig+: {
        pipewire+: {
          '90-hardware'+: {
            'context.properties'+: {
              // Sound device (10ee:3fc5): 128 frames at 48000 Hz are 2.7 ms a period. Start here,
              // and measure.
              // A card in a slot does with two periods.
              'default.clock.quantum': 128,
              // Sound device (10ee:3fc5): one rate for all, 48000 Hz. Programs with another are
              // converted.
              'default.clock.rate': 48000,
            },
          },
        },
      },
    },
  },
}

// Offered, and not chosen:
//
// Intel(R) Xeon(R) CPU E5-2690 v2 @ 3.00GHz: CPUs 36-39 for nothing but programs that you pin
// there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,36-39'] } }
//
// Intel(R) Xeon(R) CPU E5-2690 v2 @ 3.00GHz: no timer tick on CPUs 36-39 while one thread alone
// runs there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=36-39'] } }
//
// Intel(R) Xeon(R) CPU E5-2690 v2 @ 3.00GHz runs two threads on a core: one can hold up the other
// at high load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
