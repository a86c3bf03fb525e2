// The hardware of this machine: Somebody Desktop, AMD Ryzen 7 7700X 8-Core Processor, 8 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// To do by hand:
// - Focusrite Scarlett 2i2 4th Gen (1235:8219) shares its controller with a webcam: put one on
//   another port. Ports of 0000:10:00.3 have nothing of that kind on them.
// - Focusrite Scarlett 2i2 4th Gen (1235:8219) takes 500 mA from its port, all that USB 2 gives:
//   use its own power supply, or a port that gives more.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// Where to begin with the other cards:
// - Razer Kiyo (1532:0e03) (USB 3-3): alsa, 48000 Hz, 512 frames, 3 periods.
{
  boot+: {
    kernelParams+: [
      // AMD Ryzen 7 7700X 8-Core Processor has 8 cores: interrupts are served by the first two, the
      // others are left to sound.
      'irqaffinity=0-3',
      // AMD Ryzen 7 7700X 8-Core Processor: the kernel's deferred work (RCU callbacks) moves away
      // from CPUs 4-15.
      'rcu_nocbs=4-15',
    ],
  },
  hardware+: {
    cpu+: {
      amd+: {
        // AMD Ryzen 7 7700X 8-Core Processor: its maker's corrections (microcode) are loaded before
        // anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Desktop, AMD Ryzen 7 7700X 8-Core Processor, 8 cores stands against
      // Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency measurement
      // compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Focusrite Scarlett 2i2 4th Gen (1235:8219) at
      // 90, the sound server below it.
      enable: true,
      // Focusrite Scarlett 2i2 4th Gen (1235:8219): its sound comes through the interrupts of the
      // USB controllers, so they go first.
      nameList: 'usb snd i8042',
    },
  },
  powerManagement+: {
    // The clock of AMD Ryzen 7 7700X 8-Core Processor (driver amd-pstate-epp) stays high: going up
    // takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    jack+: {
      jackd+: {
        // Focusrite Scarlett 2i2 4th Gen (1235:8219): 128 frames at 48000 Hz are 2.7 ms a period.
        // Start here, and measure.
        // USB is best with three periods.
        // Dropouts at equal distances, every 110 s or so, come from the device's clock: try its
        // native rate (48000 Hz) or another port. A larger buffer does not help.
        extraOptions: [
          '-R', '-P70', '-d', 'alsa', '-d', 'hw:Gen', '-r', '48000', '-p', '128', '-n', '3',
        ],
      },
    },
    udev+: {
      extraRules+: '\n'
        // Focusrite Scarlett 2i2 4th Gen (1235:8219) must not be suspended when it is quiet: it
        // would drop out. Now it may.
        + 'ACTION!="remove", SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", '
          + 'ATTR{idVendor}=="1235", ATTR{idProduct}=="8219", TEST=="power/control", '
          + 'ATTR{power/control}="on"\n',
    },
  },
}

// Offered, and not chosen:
//
// AMD Ryzen 7 7700X 8-Core Processor: CPUs 12-15 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,12-15'] } }
//
// AMD Ryzen 7 7700X 8-Core Processor: no timer tick on CPUs 12-15 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=12-15'] } }
//
// AMD Ryzen 7 7700X 8-Core Processor runs two threads on a core: one can hold up the other at high
// load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
