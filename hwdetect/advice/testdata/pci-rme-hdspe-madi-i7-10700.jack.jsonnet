// The hardware of this machine: Somebody Desktop, Intel(R) Core(TM) i7-10700 CPU @ 2.90GHz, 8
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
{
  boot+: {
    kernelParams+: [
      // Intel(R) Core(TM) i7-10700 CPU @ 2.90GHz has 8 cores: interrupts are served by the first
      // two, the others are left to sound.
      'irqaffinity=0-1',
      // Intel(R) Core(TM) i7-10700 CPU @ 2.90GHz: the kernel's deferred work (RCU callbacks) moves
      // away from CPUs 2-7.
      'rcu_nocbs=2-7',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Core(TM) i7-10700 CPU @ 2.90GHz: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Desktop, Intel(R) Core(TM) i7-10700 CPU @ 2.90GHz, 8 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: RME MADI (1d18:3fc6) at 90, the sound server
      // below it.
      // RME MADI (1d18:3fc6): its own interrupt goes first, then USB and the keyboard.
      enable: true,
    },
  },
  powerManagement+: {
    // The clock of Intel(R) Core(TM) i7-10700 CPU @ 2.90GHz (driver intel_pstate) stays high: going
    // up takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    jack+: {
      jackd+: {
        // RME MADI (1d18:3fc6): 128 frames at 48000 Hz are 2.7 ms a period. Start here, and
        // measure.
        // A card in a slot does with two periods.
        // The rate belongs to the whole card: keep it at one value.
        extraOptions: [
          '-R', '-P70', '-d', 'alsa', '-d', 'hw:Studio', '-r', '48000', '-p', '128', '-n', '2',
        ],
      },
    },
    udev+: {
      extraRules+: '\n'
        // RME MADI (1d18:3fc6) is called Studio: ALSA's name for it holds a serial number.
        + 'ACTION=="add", SUBSYSTEM=="sound", KERNEL=="card*", '
          + 'DEVPATH=="*/0000:01:00.0/*sound/card*", ATTR{id}="Studio"\n',
    },
  },
}

// Offered, and not chosen:
//
// Intel(R) Core(TM) i7-10700 CPU @ 2.90GHz: CPUs 6-7 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,6-7'] } }
//
// Intel(R) Core(TM) i7-10700 CPU @ 2.90GHz: no timer tick on CPUs 6-7 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=6-7'] } }
