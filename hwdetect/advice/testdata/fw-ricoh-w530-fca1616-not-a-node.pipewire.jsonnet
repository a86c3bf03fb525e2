// The hardware of this machine: LENOVO 2447CTO, Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz, 4 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - FireWire controller (1180:e832): nothing is plugged into it, or what is plugged in is switched
//   off.
// - No card was found that plays or records.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// FireWire:
// - FireWire controller (1180:e832) (PCI 0000:02:00.3): usable. Ricoh's chips have a faulty cycle
//   timer and no message interrupts; dropouts have been seen with most units. A Texas Instruments
//   controller is better.
{
  boot+: {
    kernelParams+: [
      // Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz has 4 cores: interrupts are served by the first
      // one, the others are left to sound.
      'irqaffinity=0-1',
      // Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz: the kernel's deferred work (RCU callbacks) moves
      // away from CPUs 2-7.
      'rcu_nocbs=2-7',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of LENOVO 2447CTO, Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz, 4 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
  },
  powerManagement+: {
    // The clock of Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz (driver intel_cpufreq) stays high:
    // going up takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
}

// Offered, and not chosen:
//
// Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz: CPUs 6-7 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,6-7'] } }
//
// Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz: no timer tick on CPUs 6-7 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=6-7'] } }
//
// Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz runs two threads on a core: one can hold up the other
// at high load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
