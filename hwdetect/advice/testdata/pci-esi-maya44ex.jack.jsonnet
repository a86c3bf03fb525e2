// The hardware of this machine: Somebody Desktop, Intel(R) Core(TM) i5-8400 CPU @ 2.80GHz, 6 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - No card was found that plays or records.
// - A sound device (0e51:0003) makes no sound: no module of Debian's kernel knows it.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
{
  boot+: {
    kernelParams+: [
      // Intel(R) Core(TM) i5-8400 CPU @ 2.80GHz has 6 cores: interrupts are served by the first
      // one, the others are left to sound.
      'irqaffinity=0',
      // Intel(R) Core(TM) i5-8400 CPU @ 2.80GHz: the kernel's deferred work (RCU callbacks) moves
      // away from CPUs 1-5.
      'rcu_nocbs=1-5',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Core(TM) i5-8400 CPU @ 2.80GHz: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Desktop, Intel(R) Core(TM) i5-8400 CPU @ 2.80GHz, 6 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
  },
  powerManagement+: {
    // The clock of Intel(R) Core(TM) i5-8400 CPU @ 2.80GHz (driver intel_pstate) stays high: going
    // up takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    jack+: {
      jackd+: {
        // No sound card was found in Somebody Desktop, Intel(R) Core(TM) i5-8400 CPU @ 2.80GHz, 6
        // cores: the dummy driver makes no sound and runs everywhere.
        extraOptions: ['-R', '-P70', '-d', 'dummy', '-r', '48000', '-p', '128'],
      },
    },
  },
}

// Offered, and not chosen:
//
// Intel(R) Core(TM) i5-8400 CPU @ 2.80GHz: CPU 5 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,5'] } }
//
// Intel(R) Core(TM) i5-8400 CPU @ 2.80GHz: no timer tick on CPU 5 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=5'] } }
