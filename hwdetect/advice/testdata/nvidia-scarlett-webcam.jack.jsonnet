// The hardware of this machine: ASRock X570 Phantom Gaming 4, AMD Ryzen 7 3700X 8-Core Processor, 8
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// To do by hand:
// - Focusrite Scarlett 2i2 (1235:8210) shares its controller with a webcam: put one on another
//   port. Ports of 0000:7a:00.3 have nothing of that kind on them.
// - Focusrite Scarlett 2i2 (1235:8210) hangs behind 2 hubs in a row: put it on a port of the
//   machine itself.
// - Focusrite Scarlett 2i2 (1235:8210) is reached through 6 PCI bridges: ports of 0000:7a:00.3 are
//   nearer to the processor.
//
// What does not go together:
// - NVIDIA GeForce RTX 4080 (10de:2704): the maker's own modules refuse to be built for PREEMPT_RT,
//   so the stock kernel is the default, with preempt=full and threadirqs. With the free driver
//   nouveau the PREEMPT_RT kernel runs, too: musnix.kernel.realtime true brings it back.
//
// Where to begin with the other cards:
// - HD-Audio Generic (1022:15e3) (PCI 0000:7a:00.6): alsa, 48000 Hz, 256 frames, 2 periods.
// - HDA NVidia (10de:22bb) (PCI 0000:01:00.1): alsa, 48000 Hz, 512 frames, 3 periods.
// - Razer Kiyo (1532:0e03) (USB 1-3): alsa, 48000 Hz, 512 frames, 3 periods.
{
  boot+: {
    extraModprobeConfig+: '\n'
      // HD-Audio Generic (1022:15e3): the codec falls asleep after ten seconds and pops when it
      // wakes up; this keeps it awake.
      + 'options snd_hda_intel power_save=0 power_save_controller=N\n',
    kernelParams+: [
      // Preemption almost as with PREEMPT_RT, for the stock kernel that NVIDIA GeForce RTX 4080
      // (10de:2704) asks for.
      'preempt=full',
      // Interrupt threads with priorities, for the stock kernel that NVIDIA GeForce RTX 4080
      // (10de:2704) asks for.
      // Priorities of interrupts need threads for them.
      'threadirqs',
      // AMD Ryzen 7 3700X 8-Core Processor has 8 cores: interrupts are served by the first two, the
      // others are left to sound.
      'irqaffinity=0-3',
      // AMD Ryzen 7 3700X 8-Core Processor: the kernel's deferred work (RCU callbacks) moves away
      // from CPUs 4-15.
      'rcu_nocbs=4-15',
    ],
  },
  musnix+: {
    kernel+: {
      // NVIDIA GeForce RTX 4080 (10de:2704): the maker's own modules refuse to be built for
      // PREEMPT_RT, so the stock kernel is the default, with preempt=full and threadirqs.
      // With the free driver nouveau the PREEMPT_RT kernel runs, too: musnix.kernel.realtime true
      // brings it back.
      realtime: false,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Focusrite Scarlett 2i2 (1235:8210) at 90, the
      // sound server below it.
      enable: true,
      // Focusrite Scarlett 2i2 (1235:8210): its sound comes through the interrupts of the USB
      // controllers, so they go first.
      nameList: 'usb snd i8042',
    },
  },
  powerManagement+: {
    // The clock of AMD Ryzen 7 3700X 8-Core Processor (driver acpi-cpufreq) stays high: going up
    // takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
    // AMD Ryzen 7 3700X 8-Core Processor sleeps in states that take long to leave (C3 350 µs): on
    // mains power heat is carried off.
    maxIdleLatency: 50,
  },
  services+: {
    jack+: {
      jackd+: {
        // Focusrite Scarlett 2i2 (1235:8210): 128 frames at 48000 Hz are 2.7 ms a period. Start
        // here, and measure.
        // USB is best with three periods.
        // Dropouts at equal distances, every 110 s or so, come from the device's clock: try its
        // native rate (48000 Hz) or another port. A larger buffer does not help.
        extraOptions: [
          '-R', '-P70', '-d', 'alsa', '-d', 'hw:USB', '-r', '48000', '-p', '128', '-n', '3',
        ],
      },
    },
    udev+: {
      extraRules+: '\n'
        // Focusrite Scarlett 2i2 (1235:8210) must not be suspended when it is quiet: it would drop
        // out. Now it may.
        + 'ACTION!="remove", SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", '
          + 'ATTR{idVendor}=="1235", ATTR{idProduct}=="8210", TEST=="power/control", '
          + 'ATTR{power/control}="on"\n',
    },
  },
}

// Offered, and not chosen:
//
// AMD Ryzen 7 3700X 8-Core Processor: CPUs 12-15 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,12-15'] } }
//
// AMD Ryzen 7 3700X 8-Core Processor: no timer tick on CPUs 12-15 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=12-15'] } }
//
// AMD Ryzen 7 3700X 8-Core Processor: the kernel works around a weakness (spectre_v2), which costs
// time at every entry into the kernel.
// Programs, and pages in a browser, can then read what other programs keep in memory. For a machine
// that never meets the network.
// + { boot+: { kernelParams+: ['mitigations=off'] } }
//
// AMD Ryzen 7 3700X 8-Core Processor runs two threads on a core: one can hold up the other at high
// load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
