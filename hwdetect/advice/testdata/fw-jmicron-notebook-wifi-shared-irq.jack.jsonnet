// The hardware of this machine: Somebody Notebook, Intel(R) Core(TM)2 Duo CPU T7300 @ 2.00GHz, 2
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// To do by hand:
// - FireWire controller (197b:2380) shares its interrupt with iwl4965: put it into another slot, or
//   keep the other one switched off while you play.
//
// Good to know:
// - 2 cores: with fewer than 4 alike, no CPU is set apart.
// - FireWire controller (197b:2380): nothing is plugged into it, or what is plugged in is switched
//   off.
// - No card was found that plays or records.
//
// Not known:
// - What chooses the clock of the processor is not known: the profile's governor stays.
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// FireWire:
// - FireWire controller (197b:2380) (PCI 0000:04:00.0): avoid. This chip has no message interrupts,
//   so it shares its interrupt with others. A Texas Instruments controller is better. It shares its
//   interrupt with iwl4965.
{
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Core(TM)2 Duo CPU T7300 @ 2.00GHz: its maker's corrections (microcode) are
        // loaded before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Notebook, Intel(R) Core(TM)2 Duo CPU T7300 @ 2.00GHz, 2 cores
      // stands against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
  },
  services+: {
    jack+: {
      jackd+: {
        // No sound card was found in Somebody Notebook, Intel(R) Core(TM)2 Duo CPU T7300 @ 2.00GHz,
        // 2 cores: the dummy driver makes no sound and runs everywhere.
        extraOptions: ['-R', '-P70', '-d', 'dummy', '-r', '48000', '-p', '128'],
      },
    },
  },
}
