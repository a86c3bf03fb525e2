// The hardware of this machine: Somebody Desktop, Intel(R) Core(TM) i5-4590 CPU @ 3.30GHz, 4 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// To do by hand:
// - M-Audio FW Bootloader (vendor 0x0007f5, model 0x010058) waits for its firmware: its driver
//   sends it, and it comes back under another name. If it does not, switch it off and on.
//
// Good to know:
// - No card was found that plays or records.
// - M-Audio FW Bootloader (0x0007f5 0x010058 0x00a02d:0x010001) makes no sound: it waits for its
//   firmware and comes back as another device.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// FireWire:
// - FireWire controller (11c1:5901) (PCI 0000:03:00.0): good. LSI's chips need no workaround that
//   matters.
{
  boot+: {
    kernelParams+: [
      // Intel(R) Core(TM) i5-4590 CPU @ 3.30GHz has 4 cores: interrupts are served by the first
      // one, the others are left to sound.
      'irqaffinity=0',
      // Intel(R) Core(TM) i5-4590 CPU @ 3.30GHz: the kernel's deferred work (RCU callbacks) moves
      // away from CPUs 1-3.
      'rcu_nocbs=1-3',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Core(TM) i5-4590 CPU @ 3.30GHz: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Desktop, Intel(R) Core(TM) i5-4590 CPU @ 3.30GHz, 4 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
  },
  powerManagement+: {
    // The clock of Intel(R) Core(TM) i5-4590 CPU @ 3.30GHz (driver intel_pstate) stays high: going
    // up takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
}

// Offered, and not chosen:
//
// Intel(R) Core(TM) i5-4590 CPU @ 3.30GHz: CPU 3 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,3'] } }
//
// Intel(R) Core(TM) i5-4590 CPU @ 3.30GHz: no timer tick on CPU 3 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=3'] } }
