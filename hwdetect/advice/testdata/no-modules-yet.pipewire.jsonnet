// The hardware of this machine: ASRock X570 Phantom Gaming 4, AMD Ryzen 7 3700X 8-Core Processor, 6
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Not known:
// - Focusrite Scarlett 2i2 (1235:8210) has no card yet: which one WirePlumber takes first is its
//   own choice. Choose it once, and it is remembered.
//
// Where to begin with the other cards:
// - Sound device (1022:1457) (PCI 0000:0c:00.3): alsa, 48000 Hz, 256 frames, 2 periods.
{
  boot+: {
    extraModprobeConfig+: '\n'
      // Sound device (1022:1457): the codec falls asleep after ten seconds and pops when it wakes
      // up; this keeps it awake.
      + 'options snd_hda_intel power_save=0 power_save_controller=N\n',
    kernelParams+: [
      // AMD Ryzen 7 3700X 8-Core Processor has 6 cores: interrupts are served by the first one, the
      // others are left to sound.
      'irqaffinity=0-1',
      // AMD Ryzen 7 3700X 8-Core Processor: the kernel's deferred work (RCU callbacks) moves away
      // from CPUs 2-11.
      'rcu_nocbs=2-11',
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
      // No hardware of ASRock X570 Phantom Gaming 4, AMD Ryzen 7 3700X 8-Core Processor, 6 cores
      // stands against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Focusrite Scarlett 2i2 (1235:8210) at 90, the
      // sound server below it.
      enable: true,
      // Focusrite Scarlett 2i2 (1235:8210): its sound comes through the interrupts of the USB
      // controllers, so they go first.
      nameList: 'usb snd i8042',
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
              // Focusrite Scarlett 2i2 (1235:8210): 128 frames at 48000 Hz are 2.7 ms a period.
              // Start here, and measure.
              // USB is best with three periods.
              // Dropouts at equal distances, every 110 s or so, come from the device's clock: try
              // its native rate (48000 Hz) or another port. A larger buffer does not help.
              'default.clock.quantum': 128,
              // Focusrite Scarlett 2i2 (1235:8210): one rate for all, 48000 Hz. Programs with
              // another are converted.
              'default.clock.rate': 48000,
            },
          },
        },
      },
      wireplumber+: {
        extraConfig+: {
          '90-hardware'+: {
            'monitor.alsa.rules'+: [
              // Focusrite Scarlett 2i2 (1235:8210): the Pro Audio profile has all its channels and
              // nothing in between.
              {
                actions: { 'update-props': { 'device.profile': 'pro-audio' } },
                matches: [
                  {
                    'device.name': '~alsa_card.*',
                    'device.product.id': '0x8210',
                    'device.vendor.id': '0x1235',
                  },
                ],
              },
            ],
          },
        },
      },
    },
    udev+: {
      extraRules+: '\n'
        // Focusrite Scarlett 2i2 (1235:8210) must not be suspended when it is quiet: it would drop
        // out. Now it may.
        + 'ACTION!="remove", SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", '
          + 'ATTR{idVendor}=="1235", ATTR{idProduct}=="8210", TEST=="power/control", '
          + 'ATTR{power/control}="on"\n',
    },
  },
}

// Offered, and not chosen:
//
// AMD Ryzen 7 3700X 8-Core Processor: CPUs 10-11 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,10-11'] } }
//
// AMD Ryzen 7 3700X 8-Core Processor: no timer tick on CPUs 10-11 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=10-11'] } }
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
