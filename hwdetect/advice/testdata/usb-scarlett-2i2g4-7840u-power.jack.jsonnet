// The hardware of this machine: LENOVO 21K5, AMD Ryzen 7 PRO 7840U w/ Radeon 780M Graphics, 8
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// To do by hand:
// - This laptop runs on its battery now: plug it in before you measure or play.
// - Focusrite Scarlett 2i2 4th Gen (1235:8219) takes 500 mA from its port, all that USB 2 gives:
//   use its own power supply, or a port that gives more.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// Where to begin with the other cards:
// - HD-Audio Generic (1022:15e3) (PCI 0000:c4:00.6): alsa, 48000 Hz, 256 frames, 2 periods.
// - HD-Audio Generic (1002:1640) (PCI 0000:c4:00.1): alsa, 48000 Hz, 512 frames, 3 periods.
{
  boot+: {
    kernelParams+: [
      // AMD Ryzen 7 PRO 7840U w/ Radeon 780M Graphics has 8 cores: interrupts are served by the
      // first two, the others are left to sound.
      'irqaffinity=0-3',
      // AMD Ryzen 7 PRO 7840U w/ Radeon 780M Graphics: the kernel's deferred work (RCU callbacks)
      // moves away from CPUs 4-15.
      'rcu_nocbs=4-15',
    ],
  },
  hardware+: {
    cpu+: {
      amd+: {
        // AMD Ryzen 7 PRO 7840U w/ Radeon 780M Graphics: its maker's corrections (microcode) are
        // loaded before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of LENOVO 21K5, AMD Ryzen 7 PRO 7840U w/ Radeon 780M Graphics, 8 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
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
    // The clock of AMD Ryzen 7 PRO 7840U w/ Radeon 780M Graphics (driver amd-pstate-epp) stays
    // high: going up takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
    // This is a laptop with a battery (BAT0): there the clock follows the load. Plug it in to play.
    cpuFreqGovernorOnBattery: 'powersave',
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
// AMD Ryzen 7 PRO 7840U w/ Radeon 780M Graphics: CPUs 12-15 for nothing but programs that you pin
// there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,12-15'] } }
//
// AMD Ryzen 7 PRO 7840U w/ Radeon 780M Graphics: no timer tick on CPUs 12-15 while one thread alone
// runs there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=12-15'] } }
//
// AMD Ryzen 7 PRO 7840U w/ Radeon 780M Graphics runs two threads on a core: one can hold up the
// other at high load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
