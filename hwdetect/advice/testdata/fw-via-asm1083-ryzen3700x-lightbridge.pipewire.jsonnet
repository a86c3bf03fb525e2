// The hardware of this machine: ASRock X570 Phantom Gaming 4, AMD Ryzen 7 3700X 8-Core Processor, 8
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// To do by hand:
// - FireWire controller (1106:3044) behind an ASM1083 bridge can reboot this machine: take it out,
//   and put a controller of Texas Instruments in its place.
//
// Good to know:
// - No card was found that plays or records.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// FireWire:
// - FireWire controller (1106:3044) (PCI 0000:05:00.0): avoid. Behind an ASM1083 bridge in a
//   machine with an AMD Zen, reading its cycle timer reboots the machine.
// - M-Audio ProFire Lightbridge (vendor 0x000d6c, model 0x0100a1) (FireWire fw1.0): avoid. It hangs
//   on a controller that can reboot the machine: put it on another one.
{
  boot+: {
    blacklistedKernelModules+: [
      // The VIA controller (1106:3044) at 0000:05:00.0 behind an ASM1083 bridge: reading its cycle
      // timer reboots the machine, so its driver is kept away from it.
      'firewire_ohci',
    ],
    kernelParams+: [
      // AMD Ryzen 7 3700X 8-Core Processor has 8 cores: interrupts are served by the first two, the
      // others are left to sound.
      'irqaffinity=0-3',
      // AMD Ryzen 7 3700X 8-Core Processor: the kernel's deferred work (RCU callbacks) moves away
      // from CPUs 4-15.
      'rcu_nocbs=4-15',
    ],
  },
  hardware+: {
    cpu+: {
      amd+: {
        // AMD Ryzen 7 3700X 8-Core Processor: its maker's corrections (microcode) are loaded before
        // anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of ASRock X570 Phantom Gaming 4, AMD Ryzen 7 3700X 8-Core Processor, 8 cores
      // stands against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
  },
  powerManagement+: {
    // The clock of AMD Ryzen 7 3700X 8-Core Processor (driver acpi-cpufreq) stays high: going up
    // takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
}

// Offered, and not chosen:
//
// AMD Ryzen 7 3700X 8-Core Processor: CPUs 12-15 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,12-15'] } }
//
// AMD Ryzen 7 3700X 8-Core Processor: no timer tick on CPUs 12-15 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=12-15'] } }
//
// AMD Ryzen 7 3700X 8-Core Processor runs two threads on a core: one can hold up the other at high
// load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
