// The hardware of this machine: Dell Inc. PowerEdge R610, Intel(R) Xeon(R) CPU L5640 @ 2.27GHz, 6
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - No card was found that plays or records.
{
  boot+: {
    kernelParams+: [
      // Intel(R) Xeon(R) CPU L5640 @ 2.27GHz has 6 cores: interrupts are served by the first one,
      // the others are left to sound.
      'irqaffinity=0-1',
      // Intel(R) Xeon(R) CPU L5640 @ 2.27GHz: the kernel's deferred work (RCU callbacks) moves away
      // from CPUs 2-11.
      'rcu_nocbs=2-11',
    ],
  },
  musnix+: {
    kernel+: {
      // No hardware of Dell Inc. PowerEdge R610, Intel(R) Xeon(R) CPU L5640 @ 2.27GHz, 6 cores
      // stands against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
  },
  powerManagement+: {
    // The clock of Intel(R) Xeon(R) CPU L5640 @ 2.27GHz (driver acpi-cpufreq) stays high: going up
    // takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
    // Intel(R) Xeon(R) CPU L5640 @ 2.27GHz sleeps in states that take long to leave (C3 350 µs): on
    // mains power heat is carried off.
    maxIdleLatency: 50,
  },
  services+: {
    jack+: {
      jackd+: {
        // No sound card was found in Dell Inc. PowerEdge R610, Intel(R) Xeon(R) CPU L5640 @
        // 2.27GHz, 6 cores: the dummy driver makes no sound and runs everywhere.
        extraOptions: ['-R', '-P70', '-d', 'dummy', '-r', '48000', '-p', '128'],
      },
    },
  },
}

// Offered, and not chosen:
//
// Intel(R) Xeon(R) CPU L5640 @ 2.27GHz: CPUs 10-11 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,10-11'] } }
//
// Intel(R) Xeon(R) CPU L5640 @ 2.27GHz: no timer tick on CPUs 10-11 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=10-11'] } }
//
// Intel(R) Xeon(R) CPU L5640 @ 2.27GHz: the kernel works around a weakness (spectre_v2), which
// costs time at every entry into the kernel.
// Programs, and pages in a browser, can then read what other programs keep in memory. For a machine
// that never meets the network.
// + { boot+: { kernelParams+: ['mitigations=off'] } }
//
// Intel(R) Xeon(R) CPU L5640 @ 2.27GHz runs two threads on a core: one can hold up the other at
// high load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
