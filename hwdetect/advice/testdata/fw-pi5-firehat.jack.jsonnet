// The hardware of this machine: Raspberry Pi 5 Model B Rev 1.0, 4 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - No card was found that plays or records.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// FireWire:
// - FireWire controller (11c1:5901) (PCI 0001:01:00.0): good. LSI's chips need no workaround that
//   matters.
{
  boot+: {
    kernelParams+: [
      // The processor has 4 cores: interrupts are served by the first one, the others are left to
      // sound.
      'irqaffinity=0',
      // The processor: the kernel's deferred work (RCU callbacks) moves away from CPUs 1-3.
      'rcu_nocbs=1-3',
    ],
  },
  musnix+: {
    kernel+: {
      // No hardware of Raspberry Pi 5 Model B Rev 1.0, 4 cores stands against Debian's PREEMPT_RT
      // kernel. Some machines are no better with it: the latency measurement compares both.
      realtime: true,
    },
  },
  powerManagement+: {
    // The clock of the processor (driver cpufreq-dt) stays high: going up takes longer than a small
    // buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    jack+: {
      jackd+: {
        // No sound card was found in Raspberry Pi 5 Model B Rev 1.0, 4 cores: the dummy driver
        // makes no sound and runs everywhere.
        extraOptions: ['-R', '-P70', '-d', 'dummy', '-r', '48000', '-p', '128'],
      },
    },
  },
}

// Offered, and not chosen:
//
// The processor: CPU 3 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,3'] } }
//
// The processor: no timer tick on CPU 3 while one thread alone runs there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=3'] } }
