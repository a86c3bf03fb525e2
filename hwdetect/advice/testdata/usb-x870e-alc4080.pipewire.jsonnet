// The hardware of this machine: ASUSTeK COMPUTER INC. ROG STRIX X870E-E GAMING WIFI7 R2, AMD Ryzen
// 9 9950X3D 16-Core Processor, 16 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - SteelSeries Arctis 7 (1038:12ad) runs at full speed (12 Mbit/s): its start value is a larger
//   buffer.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// Where to begin with the other cards:
// - Generic USB Audio (0b05:1b9b) (USB 1-7): alsa, 48000 Hz, 128 frames, 3 periods.
{
  boot+: {
    kernelParams+: [
      // AMD Ryzen 9 9950X3D 16-Core Processor has 16 cores: interrupts are served by the first two,
      // the others are left to sound.
      'irqaffinity=0-3',
      // AMD Ryzen 9 9950X3D 16-Core Processor: the kernel's deferred work (RCU callbacks) moves
      // away from CPUs 4-31.
      'rcu_nocbs=4-31',
    ],
  },
  hardware+: {
    cpu+: {
      amd+: {
        // AMD Ryzen 9 9950X3D 16-Core Processor: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of ASUSTeK COMPUTER INC. ROG STRIX X870E-E GAMING WIFI7 R2, AMD Ryzen 9 9950X3D
      // 16-Core Processor, 16 cores stands against Debian's PREEMPT_RT kernel. Some machines are no
      // better with it: the latency measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: SteelSeries Arctis 7 (1038:12ad) at 90, the
      // sound server below it.
      enable: true,
      // SteelSeries Arctis 7 (1038:12ad): its sound comes through the interrupts of the USB
      // controllers, so they go first.
      nameList: 'usb snd i8042',
    },
  },
  powerManagement+: {
    // The clock of AMD Ryzen 9 9950X3D 16-Core Processor (driver amd-pstate-epp) stays high: going
    // up takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    pipewire+: {
      extraConfig+: {
        pipewire+: {
          '90-hardware'+: {
            'context.properties'+: {
              // SteelSeries Arctis 7 (1038:12ad): 256 frames at 48000 Hz are 5.3 ms a period. Start
              // here, and measure.
              // USB at full speed moves sound once a millisecond, so the buffer is larger.
              // Dropouts at equal distances, every 110 s or so, come from the device's clock: try
              // its native rate (48000 Hz) or another port. A larger buffer does not help.
              'default.clock.quantum': 256,
              // SteelSeries Arctis 7 (1038:12ad): one rate for all, 48000 Hz. Programs with another
              // are converted.
              'default.clock.rate': 48000,
            },
          },
        },
      },
      wireplumber+: {
        extraConfig+: {
          '90-hardware'+: {
            'monitor.alsa.rules'+: [
              // SteelSeries Arctis 7 (1038:12ad): the Pro Audio profile has all its channels and
              // nothing in between.
              {
                actions: { 'update-props': { 'device.profile': 'pro-audio' } },
                matches: [
                  {
                    'api.alsa.card.longname': '~SteelSeries SteelSeries Arctis 7.*',
                    'device.name': '~alsa_card.*',
                  },
                ],
              },
              // SteelSeries Arctis 7 (1038:12ad) is the card that is meant: it goes before
              // displays, webcams and loopbacks, whatever their numbers.
              {
                actions: { 'update-props': { 'priority.driver': 3000, 'priority.session': 3000 } },
                matches: [
                  {
                    'api.alsa.card.longname': '~SteelSeries SteelSeries Arctis 7.*',
                    'node.name': '~alsa_(in|out)put.*',
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
        // Generic USB Audio (0b05:1b9b) must not be suspended when it is quiet: it would drop out.
        // Now it may.
        + 'ACTION!="remove", SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", '
          + 'ATTR{idVendor}=="0b05", ATTR{idProduct}=="1b9b", TEST=="power/control", '
          + 'ATTR{power/control}="on"\n'
        // SteelSeries Arctis 7 (1038:12ad) must not be suspended when it is quiet: it would drop
        // out. Now it may.
        + 'ACTION!="remove", SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", '
          + 'ATTR{idVendor}=="1038", ATTR{idProduct}=="12ad", TEST=="power/control", '
          + 'ATTR{power/control}="on"\n',
    },
  },
}

// Offered, and not chosen:
//
// AMD Ryzen 9 9950X3D 16-Core Processor: CPUs 28-31 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,28-31'] } }
//
// AMD Ryzen 9 9950X3D 16-Core Processor: no timer tick on CPUs 28-31 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=28-31'] } }
//
// AMD Ryzen 9 9950X3D 16-Core Processor runs two threads on a core: one can hold up the other at
// high load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
