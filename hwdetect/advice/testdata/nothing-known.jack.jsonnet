// The hardware of this machine: a machine that does not tell its name.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - No card was found that plays or records.
//
// Not known:
// - Which threads share a physical core is not known: no CPU is set apart for interrupts.
// - What chooses the clock of the processor is not known: the profile's governor stays.
// - How long the processor takes to wake up is not known: its idle states stay as they are.
{
  musnix+: {
    kernel+: {
      // No hardware of a machine that does not tell its name stands against Debian's PREEMPT_RT
      // kernel. Some machines are no better with it: the latency measurement compares both.
      realtime: true,
    },
  },
  services+: {
    jack+: {
      jackd+: {
        // No sound card was found in a machine that does not tell its name: the dummy driver makes
        // no sound and runs everywhere.
        extraOptions: ['-R', '-P70', '-d', 'dummy', '-r', '48000', '-p', '128'],
      },
    },
  },
}
