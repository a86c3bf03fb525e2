// The hardware of this machine: CHUWI GemiBook XPro, Intel(R) N100, 4 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// To do by hand:
// - This laptop runs on its battery now: plug it in before you measure or play.
//
// Good to know:
// - No card was found that plays or records.
// - A sound device (8086:54c8) makes no sound: its DSP is switched off and nothing else drives it.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
{
  boot+: {
    kernelParams+: [
      // Intel(R) N100 has 4 cores: interrupts are served by the first one, the others are left to
      // sound.
      'irqaffinity=0',
      // Intel(R) N100: the kernel's deferred work (RCU callbacks) moves away from CPUs 1-3.
      'rcu_nocbs=1-3',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) N100: its maker's corrections (microcode) are loaded before anything else runs.
        // Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of CHUWI GemiBook XPro, Intel(R) N100, 4 cores stands against Debian's
      // PREEMPT_RT kernel. Some machines are no better with it: the latency measurement compares
      // both.
      realtime: true,
    },
  },
  powerManagement+: {
    // The clock of Intel(R) N100 (driver intel_pstate) stays high: going up takes longer than a
    // small buffer.
    cpuFreqGovernor: 'performance',
    // This is a laptop with a battery (BAT0): there the clock follows the load. Plug it in to play.
    cpuFreqGovernorOnBattery: 'powersave',
  },
  services+: {
    jack+: {
      jackd+: {
        // No sound card was found in CHUWI GemiBook XPro, Intel(R) N100, 4 cores: the dummy driver
        // makes no sound and runs everywhere.
        extraOptions: ['-R', '-P70', '-d', 'dummy', '-r', '48000', '-p', '128'],
      },
    },
  },
}

// Offered, and not chosen:
//
// Intel(R) N100: CPU 3 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,3'] } }
//
// Intel(R) N100: no timer tick on CPU 3 while one thread alone runs there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=3'] } }
