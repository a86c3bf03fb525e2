// The hardware of this machine: LENOVO 2447CTO, Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz, 4 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// To do by hand:
// - MOTU 828mk3 (vendor 0x0001f2, model 0x106800) shares interrupt 19 with ehci_hcd:usb2: put the
//   FireWire controller into another slot.
// - FireWire controller (1180:e832) shares its interrupt with ehci_hcd:usb2: put it into another
//   slot, or keep the other one switched off while you play.
//
// FireWire:
// - FireWire controller (1180:e832) (PCI 0000:03:00.3): avoid. Ricoh's chips have a faulty cycle
//   timer and no message interrupts; dropouts have been seen with most units. A Texas Instruments
//   controller is better. It shares its interrupt with ehci_hcd:usb2.
//
// Where to begin with the other cards:
// - HDA Intel PCH (8086:1e20) (PCI 0000:00:1b.0): alsa, 48000 Hz, 256 frames, 2 periods.
{
  boot+: {
    kernelParams+: [
      // Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz has 4 cores: interrupts are served by the first
      // one, the others are left to sound.
      'irqaffinity=0-1',
      // Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz: the kernel's deferred work (RCU callbacks) moves
      // away from CPUs 2-7.
      'rcu_nocbs=2-7',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of LENOVO 2447CTO, Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz, 4 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: MOTU 828mk3 (vendor 0x0001f2, model 0x106800) at
      // 90, the sound server below it.
      enable: true,
      // MOTU 828mk3 (vendor 0x0001f2, model 0x106800): its sound comes through the FireWire
      // controller's interrupt, so that goes first.
      nameList: 'firewire_ohci snd usb i8042',
    },
  },
  powerManagement+: {
    // The clock of Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz (driver intel_pstate) stays high:
    // going up takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
    // This is a laptop with a battery (BAT0): there the clock follows the load. Plug it in to play.
    cpuFreqGovernorOnBattery: 'powersave',
    // Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz sleeps in states that take long to leave (C10 400
    // µs): a small box must not get hot, so only the deepest go, and on battery none.
    maxIdleLatency: 200,
  },
  services+: {
    jack+: {
      jackd+: {
        // MOTU 828mk3 (vendor 0x0001f2, model 0x106800): 128 frames at 48000 Hz are 2.7 ms a
        // period. Start here, and measure.
        // ALSA's FireWire drivers do not work well with two periods; with three, 128 frames were
        // seen to hold.
        // JACK runs in synchronous mode (-S), as the drivers' maintainer asks.
        // Dropouts at equal distances, every 110 s or so, come from the device's clock: try its
        // native rate (48000 Hz) or another port. A larger buffer does not help.
        extraOptions: [
          '-R', '-P70', '-S', '-d', 'alsa', '-d', 'hw:D828mk3', '-r', '48000', '-p', '128', '-n',
          '3',
        ],
      },
    },
  },
}

// Offered, and not chosen:
//
// Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz: CPUs 6-7 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,6-7'] } }
//
// Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz: no timer tick on CPUs 6-7 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=6-7'] } }
//
// Intel(R) Core(TM) i7-3720QM CPU @ 2.60GHz runs two threads on a core: one can hold up the other
// at high load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
