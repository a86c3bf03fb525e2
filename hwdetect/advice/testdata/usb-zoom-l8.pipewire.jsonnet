// The hardware of this machine: Somebody Desktop, AMD Ryzen 5 5600X 6-Core Processor, 6 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - No card was found that plays or records.
// - L-8 (1686:0525) makes no sound: no module of Debian's kernel knows it.
//
// Not known:
// - What chooses the clock of the processor is not known: the profile's governor stays.
// - How long the processor takes to wake up is not known: its idle states stay as they are.
{
  boot+: {
    kernelParams+: [
      // AMD Ryzen 5 5600X 6-Core Processor has 6 cores: interrupts are served by the first one, the
      // others are left to sound.
      'irqaffinity=0-1',
      // AMD Ryzen 5 5600X 6-Core Processor: the kernel's deferred work (RCU callbacks) moves away
      // from CPUs 2-11.
      'rcu_nocbs=2-11',
    ],
  },
  hardware+: {
    cpu+: {
      amd+: {
        // AMD Ryzen 5 5600X 6-Core Processor: its maker's corrections (microcode) are loaded before
        // anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Desktop, AMD Ryzen 5 5600X 6-Core Processor, 6 cores stands against
      // Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency measurement
      // compares both.
      realtime: true,
    },
  },
  services+: {
    udev+: {
      extraRules+: '\n'
        // ZOOM Corporation L-8 (1686:0525) must not be suspended when it is quiet: it would drop
        // out.
        + 'ACTION!="remove", SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", '
          + 'ATTR{idVendor}=="1686", ATTR{idProduct}=="0525", TEST=="power/control", '
          + 'ATTR{power/control}="on"\n',
    },
  },
}

// Offered, and not chosen:
//
// AMD Ryzen 5 5600X 6-Core Processor: CPUs 10-11 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,10-11'] } }
//
// AMD Ryzen 5 5600X 6-Core Processor: no timer tick on CPUs 10-11 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=10-11'] } }
//
// AMD Ryzen 5 5600X 6-Core Processor runs two threads on a core: one can hold up the other at high
// load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
