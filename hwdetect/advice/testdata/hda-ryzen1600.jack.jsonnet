// The hardware of this machine: ASUSTeK COMPUTER INC. PRIME B350-PLUS, AMD Ryzen 5 1600 Six-Core
// Processor, 6 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - No audio interface was found: Sound device (1022:1457) (onboard) is taken. Plug yours in and
//   ask again.
//
// Not known:
// - What chooses the clock of the processor is not known: the profile's governor stays.
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// Where to begin with the other cards:
// - Sound device (1002:aa90) (PCI 0000:0a:00.1): alsa, 48000 Hz, 512 frames, 3 periods.
{
  boot+: {
    extraModprobeConfig+: '\n'
      // Sound device (1022:1457): the codec falls asleep after ten seconds and pops when it wakes
      // up; this keeps it awake.
      + 'options snd_hda_intel power_save=0 power_save_controller=N\n',
    kernelParams+: [
      // AMD Ryzen 5 1600 Six-Core Processor has 6 cores: interrupts are served by the first one,
      // the others are left to sound.
      'irqaffinity=0-1',
      // AMD Ryzen 5 1600 Six-Core Processor: the kernel's deferred work (RCU callbacks) moves away
      // from CPUs 2-11.
      'rcu_nocbs=2-11',
    ],
  },
  hardware+: {
    cpu+: {
      amd+: {
        // AMD Ryzen 5 1600 Six-Core Processor: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of ASUSTeK COMPUTER INC. PRIME B350-PLUS, AMD Ryzen 5 1600 Six-Core Processor,
      // 6 cores stands against Debian's PREEMPT_RT kernel. Some machines are no better with it: the
      // latency measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Sound device (1022:1457) at 90, the sound server
      // below it.
      // Sound device (1022:1457): its own interrupt goes first, then USB and the keyboard.
      enable: true,
    },
  },
  services+: {
    jack+: {
      jackd+: {
        // Sound device (1022:1457): 256 frames at 48000 Hz are 5.3 ms a period. Start here, and
        // measure.
        // A mainboard's codec is a fallback: 256 frames and two periods.
        extraOptions: [
          '-R', '-P70', '-d', 'alsa', '-d', 'hw:Studio', '-r', '48000', '-p', '256', '-n', '2',
        ],
      },
    },
    udev+: {
      extraRules+: '\n'
        // Sound device (1022:1457) is called Studio: it has no card yet, so ALSA's name for it is
        // not known.
        + 'ACTION=="add", SUBSYSTEM=="sound", KERNEL=="card*", '
          + 'DEVPATH=="*/0000:0c:00.3/*sound/card*", ATTR{id}="Studio"\n',
    },
  },
}

// Offered, and not chosen:
//
// AMD Ryzen 5 1600 Six-Core Processor: CPUs 10-11 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,10-11'] } }
//
// AMD Ryzen 5 1600 Six-Core Processor: no timer tick on CPUs 10-11 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=10-11'] } }
//
// AMD Ryzen 5 1600 Six-Core Processor runs two threads on a core: one can hold up the other at high
// load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
