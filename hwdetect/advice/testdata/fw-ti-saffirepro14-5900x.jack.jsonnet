// The hardware of this machine: Somebody Desktop, AMD Ryzen 9 5900X 12-Core Processor, 12 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - Focusrite SAFFIRE_PRO_14 (vendor 0x00130e, model 0x000009) has two drivers, and one excludes
//   the other: ALSA's snd_dice, for every program, and FFADO, for JACK alone and with a shorter
//   way. ALSA's is chosen.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// FireWire:
// - FireWire controller (104c:823f) (PCI 0000:04:00.0): good. Texas Instruments' chips need no
//   workaround that matters.
{
  boot+: {
    kernelParams+: [
      // AMD Ryzen 9 5900X 12-Core Processor has 12 cores: interrupts are served by the first two,
      // the others are left to sound.
      'irqaffinity=0-3',
      // AMD Ryzen 9 5900X 12-Core Processor: the kernel's deferred work (RCU callbacks) moves away
      // from CPUs 4-23.
      'rcu_nocbs=4-23',
    ],
  },
  hardware+: {
    cpu+: {
      amd+: {
        // AMD Ryzen 9 5900X 12-Core Processor: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Desktop, AMD Ryzen 9 5900X 12-Core Processor, 12 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Focusrite SAFFIRE_PRO_14 (vendor 0x00130e, model
      // 0x000009) at 90, the sound server below it.
      enable: true,
      // Focusrite SAFFIRE_PRO_14 (vendor 0x00130e, model 0x000009): its sound comes through the
      // FireWire controller's interrupt, so that goes first.
      nameList: 'firewire_ohci snd usb i8042',
    },
  },
  powerManagement+: {
    // The clock of AMD Ryzen 9 5900X 12-Core Processor (driver acpi-cpufreq) stays high: going up
    // takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    jack+: {
      jackd+: {
        // Focusrite SAFFIRE_PRO_14 (vendor 0x00130e, model 0x000009): 64 frames at 48000 Hz are 1.3
        // ms a period. Start here, and measure.
        // ALSA's driver for DICE adds about four periods of its own, so periods are short.
        // JACK runs in synchronous mode (-S), as the drivers' maintainer asks.
        // The rate is a setting of the unit (clock-rate in amixer): set it before the server
        // starts.
        // Dropouts at equal distances, every 110 s or so, come from the device's clock: try its
        // native rate (48000 Hz) or another port. A larger buffer does not help.
        extraOptions: [
          '-R', '-P70', '-S', '-d', 'alsa', '-d', 'hw:SAFFIREPRO14', '-r', '48000', '-p', '64',
          '-n', '3',
        ],
      },
    },
  },
}

// Offered, and not chosen:
//
// Focusrite SAFFIRE_PRO_14 (vendor 0x00130e, model 0x000009) through FFADO: at 512 frames ALSA's
// way was measured at 55 ms there and back, FFADO's far lower.
// No program but JACK can use the unit then, and FFADO must know it: ffado-test tells. Choose all
// three together.
// + { boot+: { blacklistedKernelModules+: ['snd_dice'] } }
// + { musnix+: { ffado+: { enable: true } } }
// + { services+: { jack+: { jackd+: { extraOptions: ['-R', '-P70', '-d', 'firewire', '-r', '48000', '-p', '128', '-n', '3'] } } } }
//
// AMD Ryzen 9 5900X 12-Core Processor: CPUs 20-23 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,20-23'] } }
//
// AMD Ryzen 9 5900X 12-Core Processor: no timer tick on CPUs 20-23 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=20-23'] } }
//
// AMD Ryzen 9 5900X 12-Core Processor runs two threads on a core: one can hold up the other at high
// load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
