// The hardware of this machine: Somebody Desktop, Intel(R) Core(TM) i5-9600K CPU @ 3.70GHz, 6
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// To do by hand:
// - RME AIO (1d18:3fc6) shares interrupt 16 with i801_smbus: put the card into another slot.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// Where to begin with the other cards:
// - HDA Intel PCH (8086:a348) (PCI 0000:00:1f.3): alsa, 48000 Hz, 256 frames, 2 periods.
{
  boot+: {
    extraModprobeConfig+: '\n'
      // HDA Intel PCH (8086:a348): the codec falls asleep after ten seconds and pops when it wakes
      // up; this keeps it awake.
      + 'options snd_hda_intel power_save=0 power_save_controller=N\n',
    kernelParams+: [
      // Intel(R) Core(TM) i5-9600K CPU @ 3.70GHz has 6 cores: interrupts are served by the first
      // one, the others are left to sound.
      'irqaffinity=0',
      // Intel(R) Core(TM) i5-9600K CPU @ 3.70GHz: the kernel's deferred work (RCU callbacks) moves
      // away from CPUs 1-5.
      'rcu_nocbs=1-5',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Core(TM) i5-9600K CPU @ 3.70GHz: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Desktop, Intel(R) Core(TM) i5-9600K CPU @ 3.70GHz, 6 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: RME AIO (1d18:3fc6) at 90, the sound server
      // below it.
      // RME AIO (1d18:3fc6): its own interrupt goes first, then USB and the keyboard.
      enable: true,
    },
  },
  powerManagement+: {
    // The clock of Intel(R) Core(TM) i5-9600K CPU @ 3.70GHz (driver intel_pstate) stays high: going
    // up takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    jack+: {
      jackd+: {
        // RME AIO (1d18:3fc6): 128 frames at 48000 Hz are 2.7 ms a period. Start here, and measure.
        // A card in a slot does with two periods.
        // The card has a fixed buffer of 16384 frames; only the period counts for the delay.
        // The rate belongs to the whole card: keep it at one value.
        extraOptions: [
          '-R', '-P70', '-d', 'alsa', '-d', 'hw:Studio', '-r', '48000', '-p', '128', '-n', '2',
        ],
      },
    },
    udev+: {
      extraRules+: '\n'
        // RME AIO (1d18:3fc6) is called Studio: ALSA's name for it holds a serial number.
        + 'ACTION=="add", SUBSYSTEM=="sound", KERNEL=="card*", '
          + 'DEVPATH=="*/0000:03:00.0/*sound/card*", ATTR{id}="Studio"\n',
    },
  },
}

// Offered, and not chosen:
//
// RME AIO (1d18:3fc6) shares interrupt 16 with the SMBus controller, which can do without its
// driver.
// Sensors of the mainboard behind the SMBus can no longer be read.
// + { boot+: { blacklistedKernelModules+: ['i2c_i801'] } }
//
// Intel(R) Core(TM) i5-9600K CPU @ 3.70GHz: CPU 5 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,5'] } }
//
// Intel(R) Core(TM) i5-9600K CPU @ 3.70GHz: no timer tick on CPU 5 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=5'] } }
