// The hardware of this machine: Dell Inc. PowerEdge R710, Intel(R) Xeon(R) CPU L5640 @ 2.27GHz, 12
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - No card was found that plays or records.
//
// Not known:
// - What chooses the clock of the processor is not known: the profile's governor stays.
// - How long the processor takes to wake up is not known: its idle states stay as they are.
{
  boot+: {
    kernelParams+: [
      // Intel(R) Xeon(R) CPU L5640 @ 2.27GHz has 12 cores: interrupts are served by the first two,
      // the others are left to sound.
      'irqaffinity=0-3',
      // Intel(R) Xeon(R) CPU L5640 @ 2.27GHz: the kernel's deferred work (RCU callbacks) moves away
      // from CPUs 4-23.
      'rcu_nocbs=4-23',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Xeon(R) CPU L5640 @ 2.27GHz: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Dell Inc. PowerEdge R710, Intel(R) Xeon(R) CPU L5640 @ 2.27GHz, 12 cores
      // stands against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
  },
  services+: {
    jack+: {
      jackd+: {
        // No sound card was found in Dell Inc. PowerEdge R710, Intel(R) Xeon(R) CPU L5640 @
        // 2.27GHz, 12 cores: the dummy driver makes no sound and runs everywhere.
        extraOptions: ['-R', '-P70', '-d', 'dummy', '-r', '48000', '-p', '128'],
      },
    },
  },
}

// Offered, and not chosen:
//
// Intel(R) Xeon(R) CPU L5640 @ 2.27GHz: CPUs 20-23 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,20-23'] } }
//
// Intel(R) Xeon(R) CPU L5640 @ 2.27GHz: no timer tick on CPUs 20-23 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=20-23'] } }
//
// Intel(R) Xeon(R) CPU L5640 @ 2.27GHz runs two threads on a core: one can hold up the other at
// high load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
