// The hardware of this machine: Somebody Desktop, Intel(R) Core(TM) i5-3470 CPU @ 3.20GHz, 4 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Not known:
// - What chooses the clock of the processor is not known: the profile's governor stays.
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// Where to begin with the other cards:
// - HDA ATI HDMI (1002:aaf0) (PCI 0000:01:00.1): alsa, 48000 Hz, 512 frames, 3 periods.
{
  boot+: {
    kernelParams+: [
      // Intel(R) Core(TM) i5-3470 CPU @ 3.20GHz has 4 cores: interrupts are served by the first
      // one, the others are left to sound.
      'irqaffinity=0',
      // Intel(R) Core(TM) i5-3470 CPU @ 3.20GHz: the kernel's deferred work (RCU callbacks) moves
      // away from CPUs 1-3.
      'rcu_nocbs=1-3',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Core(TM) i5-3470 CPU @ 3.20GHz: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Desktop, Intel(R) Core(TM) i5-3470 CPU @ 3.20GHz, 4 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Asus Virtuoso 200 (13f6:8788) at 90, the sound
      // server below it.
      // Asus Virtuoso 200 (13f6:8788): its own interrupt goes first, then USB and the keyboard.
      enable: true,
    },
    // Asus Virtuoso 200 (13f6:8788) sits on a conventional PCI bus: it may hold the bus longest. No
    // other device is touched.
    soundcardPciId: '0000:03:04.0',
  },
  services+: {
    jack+: {
      jackd+: {
        // Asus Virtuoso 200 (13f6:8788): 128 frames at 48000 Hz are 2.7 ms a period. Start here,
        // and measure.
        // A card in a slot does with two periods.
        extraOptions: [
          '-R', '-P70', '-d', 'alsa', '-d', 'hw:D2X', '-r', '48000', '-p', '128', '-n', '2',
        ],
      },
    },
  },
}

// Offered, and not chosen:
//
// Intel(R) Core(TM) i5-3470 CPU @ 3.20GHz: CPU 3 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,3'] } }
//
// Intel(R) Core(TM) i5-3470 CPU @ 3.20GHz: no timer tick on CPU 3 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=3'] } }
