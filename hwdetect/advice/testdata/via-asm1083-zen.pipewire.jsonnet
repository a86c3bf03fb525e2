// The hardware of this machine: ASRock X570 Phantom Gaming 4, AMD Ryzen 7 3700X 8-Core Processor, 8
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// To do by hand:
// - VT6306/7/8 [Fire II(M)] IEEE 1394 OHCI Controller (1106:3044) behind an ASM1083 bridge can
//   reboot this machine: take it out, and put a controller of Texas Instruments in its place.
//
// Good to know:
// - No audio interface was found: HD-Audio Generic (1022:15e3) (onboard) is taken. Plug yours in
//   and ask again.
//
// FireWire:
// - VT6306/7/8 [Fire II(M)] IEEE 1394 OHCI Controller (1106:3044) (PCI 0000:05:00.0): avoid. Behind
//   an ASM1083 bridge in a machine with an AMD Zen, reading its cycle timer reboots the machine.
// - M-Audio ProFire Lightbridge (vendor 0x000d6c, model 0x0100a1) (FireWire fw1.0): avoid. It hangs
//   on a controller that can reboot the machine: put it on another one.
{
  boot+: {
    blacklistedKernelModules+: [
      // The VIA controller (1106:3044) at 0000:05:00.0 behind an ASM1083 bridge: reading its cycle
      // timer reboots the machine, so its driver is kept away from it.
      'firewire_ohci',
    ],
    extraModprobeConfig+: '\n'
      // HD-Audio Generic (1022:15e3): the codec falls asleep after ten seconds and pops when it
      // wakes up; this keeps it awake.
      + 'options snd_hda_intel power_save=0 power_save_controller=N\n',
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
    rtirq+: {
      // Interrupt threads of sound above the rest: HD-Audio Generic (1022:15e3) at 90, the sound
      // server below it.
      // HD-Audio Generic (1022:15e3): its own interrupt goes first, then USB and the keyboard.
      enable: true,
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
    pipewire+: {
      extraConfig+: {
        pipewire+: {
          '90-hardware'+: {
            'context.properties'+: {
              // HD-Audio Generic (1022:15e3): 256 frames at 48000 Hz are 5.3 ms a period. Start
              // here, and measure.
              // A mainboard's codec is a fallback: 256 frames and two periods.
              'default.clock.quantum': 256,
              // HD-Audio Generic (1022:15e3): one rate for all, 48000 Hz. Programs with another are
              // converted.
              'default.clock.rate': 48000,
            },
          },
        },
      },
      wireplumber+: {
        extraConfig+: {
          '90-hardware'+: {
            'monitor.alsa.rules'+: [
              // HD-Audio Generic (1022:15e3) is the card that is meant: it goes before displays,
              // webcams and loopbacks, whatever their numbers.
              {
                actions: { 'update-props': { 'priority.driver': 3000, 'priority.session': 3000 } },
                matches: [
                  {
                    'api.alsa.card.longname': '~HD-Audio Generic.*',
                    'node.name': '~alsa_(in|out)put.*',
                  },
                ],
              },
            ],
          },
        },
      },
    },
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
// AMD Ryzen 7 3700X 8-Core Processor: the kernel works around a weakness (spectre_v2), which costs
// time at every entry into the kernel.
// Programs, and pages in a browser, can then read what other programs keep in memory. For a machine
// that never meets the network.
// + { boot+: { kernelParams+: ['mitigations=off'] } }
//
// AMD Ryzen 7 3700X 8-Core Processor runs two threads on a core: one can hold up the other at high
// load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
