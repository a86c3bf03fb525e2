// The hardware of this machine: Somebody Laptop, Intel(R) Core(TM) Ultra 7 155H, 16 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// To do by hand:
// - This laptop runs on its battery now: plug it in before you measure or play.
//
// Where to begin with the other cards:
// - sof-hda-dsp (8086:7e28) (PCI 0000:00:1f.3): alsa, 48000 Hz, 512 frames, 3 periods.
{
  boot+: {
    kernelParams+: [
      // Intel(R) Core(TM) Ultra 7 155H has 6 cores for performance: interrupts are served by the
      // first one and the efficiency cores, the others are left to sound.
      'irqaffinity=0-1,12-19',
      // Intel(R) Core(TM) Ultra 7 155H: the kernel's deferred work (RCU callbacks) moves away from
      // CPUs 2-11.
      'rcu_nocbs=2-11',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Core(TM) Ultra 7 155H: its maker's corrections (microcode) are loaded before
        // anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
    // Sound device (8086:7e28) at 0000:00:1f.3 has a DSP (class 0x040100), which makes no sound
    // without its firmware.
    enableRedistributableFirmware: true,
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Laptop, Intel(R) Core(TM) Ultra 7 155H, 16 cores stands against
      // Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency measurement
      // compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Focusrite Scarlett Solo (1235:8211) at 90, the
      // sound server below it.
      enable: true,
      // Focusrite Scarlett Solo (1235:8211): its sound comes through the interrupts of the USB
      // controllers, so they go first.
      nameList: 'usb snd i8042',
    },
  },
  powerManagement+: {
    // The clock of Intel(R) Core(TM) Ultra 7 155H (driver intel_pstate) stays high: going up takes
    // longer than a small buffer.
    cpuFreqGovernor: 'performance',
    // This is a laptop with a battery (BAT0): there the clock follows the load. Plug it in to play.
    cpuFreqGovernorOnBattery: 'powersave',
    // Intel(R) Core(TM) Ultra 7 155H sleeps in states that take long to leave (C10 400 µs): a small
    // box must not get hot, so only the deepest go, and on battery none.
    maxIdleLatency: 200,
  },
  services+: {
    jack+: {
      jackd+: {
        // Focusrite Scarlett Solo (1235:8211): 128 frames at 48000 Hz are 2.7 ms a period. Start
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
        // Focusrite Scarlett Solo (1235:8211) must not be suspended when it is quiet: it would drop
        // out. Now it may.
        + 'ACTION!="remove", SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", '
          + 'ATTR{idVendor}=="1235", ATTR{idProduct}=="8211", TEST=="power/control", '
          + 'ATTR{power/control}="on"\n',
    },
  },
  systemd+: {
    user+: {
      units+: {
        // Intel(R) Core(TM) Ultra 7 155H is a hybrid: the sound server runs on its performance
        // cores (CPUs 0-11), not on its efficiency cores, and never on its low-power ones.
        'jackd.service.d/cores.conf': { text: '[Service]\nCPUAffinity=0-11\n' },
      },
    },
  },
}

// Offered, and not chosen:
//
// Intel(R) Core(TM) Ultra 7 155H: CPUs 10-11 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,10-11'] } }
//
// Intel(R) Core(TM) Ultra 7 155H: no timer tick on CPUs 10-11 while one thread alone runs there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=10-11'] } }
//
// Intel(R) Core(TM) Ultra 7 155H runs two threads on a core: one can hold up the other at high
// load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
