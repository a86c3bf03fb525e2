// The hardware of this machine: Somebody Laptop, 11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz, 4
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// To do by hand:
// - This laptop runs on its battery now: plug it in before you measure or play.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
{
  boot+: {
    kernelParams+: [
      // 11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz has 4 cores: interrupts are served by the
      // first one, the others are left to sound.
      'irqaffinity=0-1',
      // 11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz: the kernel's deferred work (RCU callbacks)
      // moves away from CPUs 2-7.
      'rcu_nocbs=2-7',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // 11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz: its maker's corrections (microcode) are
        // loaded before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Laptop, 11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz, 4 cores
      // stands against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: MOTU M4 (07fd:0008) at 90, the sound server
      // below it.
      enable: true,
      // MOTU M4 (07fd:0008): its sound comes through the interrupts of the USB controllers, so they
      // go first.
      nameList: 'usb snd i8042',
    },
  },
  powerManagement+: {
    // The clock of 11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz (driver intel_pstate) stays high:
    // going up takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
    // This is a laptop with a battery (BAT0): there the clock follows the load. Plug it in to play.
    cpuFreqGovernorOnBattery: 'powersave',
  },
  services+: {
    jack+: {
      jackd+: {
        // MOTU M4 (07fd:0008): 128 frames at 48000 Hz are 2.7 ms a period. Start here, and measure.
        // USB is best with three periods.
        // Dropouts at equal distances, every 110 s or so, come from the device's clock: try its
        // native rate (48000 Hz) or another port. A larger buffer does not help.
        extraOptions: [
          '-R', '-P70', '-d', 'alsa', '-d', 'hw:M4', '-r', '48000', '-p', '128', '-n', '3',
        ],
      },
    },
    udev+: {
      extraRules+: '\n'
        // MOTU M4 (07fd:0008) must not be suspended when it is quiet: it would drop out. Now it
        // may.
        + 'ACTION!="remove", SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", '
          + 'ATTR{idVendor}=="07fd", ATTR{idProduct}=="0008", TEST=="power/control", '
          + 'ATTR{power/control}="on"\n',
    },
  },
}

// Offered, and not chosen:
//
// 11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz: CPUs 6-7 for nothing but programs that you pin
// there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,6-7'] } }
//
// 11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz: no timer tick on CPUs 6-7 while one thread alone
// runs there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=6-7'] } }
//
// 11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz runs two threads on a core: one can hold up the
// other at high load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
