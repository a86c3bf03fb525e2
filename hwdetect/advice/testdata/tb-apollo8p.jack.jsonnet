// The hardware of this machine: Somebody Desktop, Intel(R) Core(TM) i9-9900K CPU @ 3.60GHz, 8
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - Apollo 8p (1a00:0002) sits behind Thunderbolt or another outside port: listen closely at 88.2
//   kHz and above, where such boxes have been heard to distort.
//
// Not known:
// - What chooses the clock of the processor is not known: the profile's governor stays.
// - How long the processor takes to wake up is not known: its idle states stay as they are.
{
  boot+: {
    kernelParams+: [
      // Intel(R) Core(TM) i9-9900K CPU @ 3.60GHz has 8 cores: interrupts are served by the first
      // two, the others are left to sound.
      'irqaffinity=0-3',
      // Intel(R) Core(TM) i9-9900K CPU @ 3.60GHz: the kernel's deferred work (RCU callbacks) moves
      // away from CPUs 4-15.
      'rcu_nocbs=4-15',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Core(TM) i9-9900K CPU @ 3.60GHz: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Desktop, Intel(R) Core(TM) i9-9900K CPU @ 3.60GHz, 8 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Apollo 8p (1a00:0002) at 90, the sound server
      // below it.
      // Apollo 8p (1a00:0002): its own interrupt goes first, then USB and the keyboard.
      enable: true,
    },
  },
  services+: {
    jack+: {
      jackd+: {
        // Apollo 8p (1a00:0002): 128 frames at 48000 Hz are 2.7 ms a period. Start here, and
        // measure.
        // A card in a slot does with two periods.
        extraOptions: [
          '-R', '-P70', '-d', 'alsa', '-d', 'hw:Apollo8p', '-r', '48000', '-p', '128', '-n', '2',
        ],
      },
    },
  },
}

// Offered, and not chosen:
//
// Intel(R) Core(TM) i9-9900K CPU @ 3.60GHz: CPUs 12-15 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,12-15'] } }
//
// Intel(R) Core(TM) i9-9900K CPU @ 3.60GHz: no timer tick on CPUs 12-15 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=12-15'] } }
//
// Intel(R) Core(TM) i9-9900K CPU @ 3.60GHz runs two threads on a core: one can hold up the other at
// high load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
