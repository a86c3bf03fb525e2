// The hardware of this machine: Somebody Laptop, Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz, 4 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - Apogee Electronics Duet (vendor 0x0003db, model 0x01dddd) at FireWire fw1.0 is taken for the
//   studio card. There is also Tascam FW-1884 (vendor 0x00022e, version 0x800000) at FireWire
//   fw2.0.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// FireWire:
// - FireWire controller (11c1:5901) (PCI 0000:06:00.0): usable. LSI's chips need no workaround that
//   matters. It sits behind Thunderbolt: units were not always found at a cold start.
//
// Where to begin with the other cards:
// - Tascam FW-1884 (vendor 0x00022e, version 0x800000) (FireWire fw2.0): alsa, 48000 Hz, 128
//   frames, 3 periods.
{
  boot+: {
    kernelParams+: [
      // Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz has 4 cores: interrupts are served by the first
      // one, the others are left to sound.
      'irqaffinity=0-1',
      // Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz: the kernel's deferred work (RCU callbacks) moves
      // away from CPUs 2-7.
      'rcu_nocbs=2-7',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Laptop, Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz, 4 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Apogee Electronics Duet (vendor 0x0003db, model
      // 0x01dddd) at 90, the sound server below it.
      enable: true,
      // Apogee Electronics Duet (vendor 0x0003db, model 0x01dddd): its sound comes through the
      // FireWire controller's interrupt, so that goes first.
      nameList: 'firewire_ohci snd usb i8042',
    },
  },
  powerManagement+: {
    // The clock of Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz (driver intel_pstate) stays high: going
    // up takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
    // This is a laptop with a battery (BAT0): there the clock follows the load. Plug it in to play.
    cpuFreqGovernorOnBattery: 'powersave',
  },
  services+: {
    jack+: {
      jackd+: {
        // Apogee Electronics Duet (vendor 0x0003db, model 0x01dddd): 128 frames at 48000 Hz are 2.7
        // ms a period. Start here, and measure.
        // ALSA's FireWire drivers do not work well with two periods; with three, 128 frames were
        // seen to hold.
        // JACK runs in synchronous mode (-S), as the drivers' maintainer asks.
        // Dropouts at equal distances, every 110 s or so, come from the device's clock: try its
        // native rate (48000 Hz) or another port. A larger buffer does not help.
        extraOptions: [
          '-R', '-P70', '-S', '-d', 'alsa', '-d', 'hw:Duet', '-r', '48000', '-p', '128', '-n', '3',
        ],
      },
    },
  },
}

// Offered, and not chosen:
//
// Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz: CPUs 6-7 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,6-7'] } }
//
// Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz: no timer tick on CPUs 6-7 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=6-7'] } }
//
// Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz runs two threads on a core: one can hold up the other at
// high load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
