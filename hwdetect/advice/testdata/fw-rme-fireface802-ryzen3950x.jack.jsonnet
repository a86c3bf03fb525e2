// The hardware of this machine: Somebody Desktop, AMD Ryzen 9 3950X 16-Core Processor, 16 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// FireWire:
// - FireWire controller (11c1:5901) (PCI 0000:06:00.0): good. LSI's chips need no workaround that
//   matters.
{
  boot+: {
    kernelParams+: [
      // AMD Ryzen 9 3950X 16-Core Processor has 16 cores: interrupts are served by the first two,
      // the others are left to sound.
      'irqaffinity=0-3',
      // AMD Ryzen 9 3950X 16-Core Processor: the kernel's deferred work (RCU callbacks) moves away
      // from CPUs 4-31.
      'rcu_nocbs=4-31',
    ],
  },
  hardware+: {
    cpu+: {
      amd+: {
        // AMD Ryzen 9 3950X 16-Core Processor: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Desktop, AMD Ryzen 9 3950X 16-Core Processor, 16 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: RME! Fireface 802 (vendor 0x000a35, model
      // 0x101800) at 90, the sound server below it.
      enable: true,
      // RME! Fireface 802 (vendor 0x000a35, model 0x101800): its sound comes through the FireWire
      // controller's interrupt, so that goes first.
      nameList: 'firewire_ohci snd usb i8042',
    },
  },
  powerManagement+: {
    // The clock of AMD Ryzen 9 3950X 16-Core Processor (driver acpi-cpufreq) stays high: going up
    // takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    jack+: {
      jackd+: {
        // RME! Fireface 802 (vendor 0x000a35, model 0x101800): 128 frames at 48000 Hz are 2.7 ms a
        // period. Start here, and measure.
        // ALSA's FireWire drivers do not work well with two periods; with three, 128 frames were
        // seen to hold.
        // JACK runs in synchronous mode (-S), as the drivers' maintainer asks.
        // Dropouts at equal distances, every 110 s or so, come from the device's clock: try its
        // native rate (48000 Hz) or another port. A larger buffer does not help.
        extraOptions: [
          '-R', '-P70', '-S', '-d', 'alsa', '-d', 'hw:Fireface802', '-r', '48000', '-p', '128',
          '-n', '3',
        ],
      },
    },
  },
}

// Offered, and not chosen:
//
// AMD Ryzen 9 3950X 16-Core Processor: CPUs 28-31 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,28-31'] } }
//
// AMD Ryzen 9 3950X 16-Core Processor: no timer tick on CPUs 28-31 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=28-31'] } }
//
// AMD Ryzen 9 3950X 16-Core Processor runs two threads on a core: one can hold up the other at high
// load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
