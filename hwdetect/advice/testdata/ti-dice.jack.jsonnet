// The hardware of this machine: ASRock X570 Phantom Gaming 4, AMD Ryzen 7 3700X 8-Core Processor, 4
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - Focusrite Saffire Pro 40 (vendor 0x00130e, model 0x000005) has two drivers, and one excludes
//   the other: ALSA's snd_dice, for every program, and FFADO, for JACK alone and with a shorter
//   way. ALSA's is chosen.
//
// FireWire:
// - XIO2213A/B/XIO2221 IEEE-1394b OHCI Controller (104c:823f) (PCI 0000:02:00.0): good. Texas
//   Instruments' chips need no workaround that matters.
{
  boot+: {
    kernel+: {
      sysctl+: {
        // WDC WD40EFRX (sda) rotates: what is written goes to it early and in small pieces, because
        // long writes cause dropouts.
        'vm.dirty_background_bytes': 16777216,
        // WDC WD40EFRX (sda) rotates: what is written goes to it early and in small pieces, because
        // long writes cause dropouts.
        'vm.dirty_bytes': 52428800,
      },
    },
    kernelParams+: [
      // AMD Ryzen 7 3700X 8-Core Processor has 4 cores: interrupts are served by the first one, the
      // others are left to sound.
      'irqaffinity=0',
      // AMD Ryzen 7 3700X 8-Core Processor: the kernel's deferred work (RCU callbacks) moves away
      // from CPUs 1-3.
      'rcu_nocbs=1-3',
    ],
  },
  musnix+: {
    kernel+: {
      // No hardware of ASRock X570 Phantom Gaming 4, AMD Ryzen 7 3700X 8-Core Processor, 4 cores
      // stands against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Focusrite Saffire Pro 40 (vendor 0x00130e, model
      // 0x000005) at 90, the sound server below it.
      enable: true,
      // Focusrite Saffire Pro 40 (vendor 0x00130e, model 0x000005): its sound comes through the
      // FireWire controller's interrupt, so that goes first.
      nameList: 'firewire_ohci snd usb i8042',
    },
  },
  powerManagement+: {
    // The clock of AMD Ryzen 7 3700X 8-Core Processor (driver acpi-cpufreq) stays high: going up
    // takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
    // AMD Ryzen 7 3700X 8-Core Processor sleeps in states that take long to leave (C3 350 µs): on
    // mains power heat is carried off.
    maxIdleLatency: 50,
  },
  services+: {
    jack+: {
      jackd+: {
        // Focusrite Saffire Pro 40 (vendor 0x00130e, model 0x000005): 64 frames at 48000 Hz are 1.3
        // ms a period. Start here, and measure.
        // ALSA's driver for DICE adds about four periods of its own, so periods are short.
        // JACK runs in synchronous mode (-S), as the drivers' maintainer asks.
        // The rate is a setting of the unit (clock-rate in amixer): set it before the server
        // starts.
        // Dropouts at equal distances, every 110 s or so, come from the device's clock: try its
        // native rate (48000 Hz) or another port. A larger buffer does not help.
        extraOptions: [
          '-R', '-P70', '-S', '-d', 'alsa', '-d', 'hw:SPRO40', '-r', '48000', '-p', '64', '-n', '3',
        ],
      },
    },
  },
}

// Offered, and not chosen:
//
// Focusrite Saffire Pro 40 (vendor 0x00130e, model 0x000005) through FFADO: at 512 frames ALSA's
// way was measured at 55 ms there and back, FFADO's far lower.
// No program but JACK can use the unit then, and FFADO must know it: ffado-test tells. Choose all
// three together.
// + { boot+: { blacklistedKernelModules+: ['snd_dice'] } }
// + { musnix+: { ffado+: { enable: true } } }
// + { services+: { jack+: { jackd+: { extraOptions: ['-R', '-P70', '-d', 'firewire', '-r', '48000', '-p', '128', '-n', '3'] } } } }
//
// AMD Ryzen 7 3700X 8-Core Processor: CPU 3 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,3'] } }
//
// AMD Ryzen 7 3700X 8-Core Processor: no timer tick on CPU 3 while one thread alone runs there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=3'] } }
//
// AMD Ryzen 7 3700X 8-Core Processor: the kernel works around a weakness (spectre_v2), which costs
// time at every entry into the kernel.
// Programs, and pages in a browser, can then read what other programs keep in memory. For a machine
// that never meets the network.
// + { boot+: { kernelParams+: ['mitigations=off'] } }
