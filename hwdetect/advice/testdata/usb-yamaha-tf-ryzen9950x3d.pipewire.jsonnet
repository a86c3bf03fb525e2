// The hardware of this machine: ASUSTeK COMPUTER INC. ProArt X870E-CREATOR WIFI, AMD Ryzen 9
// 9950X3D 16-Core Processor, 16 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// To do by hand:
// - Yamaha TF (0499:170e) hangs behind 3 hubs in a row: put it on a port of the machine itself.
// - Yamaha TF (0499:170e) is reached through 5 PCI bridges: ports of 0000:7a:00.3, 0000:7a:00.4 and
//   0000:7b:00.0 are nearer to the processor.
//
// What does not go together:
// - NVIDIA (10de:2704): the maker's own modules refuse to be built for PREEMPT_RT, so the stock
//   kernel is the default, with preempt=full and threadirqs. With the free driver nouveau the
//   PREEMPT_RT kernel runs, too: musnix.kernel.realtime true brings it back.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// Where to begin with the other cards:
// - HD-Audio Generic (1022:15e3) (PCI 0000:7a:00.6): alsa, 48000 Hz, 256 frames, 2 periods.
// - HDA NVidia (10de:22bb) (PCI 0000:01:00.1): alsa, 48000 Hz, 512 frames, 3 periods.
// - HD-Audio Generic (1002:1640) (PCI 0000:7a:00.1): alsa, 48000 Hz, 512 frames, 3 periods.
{
  boot+: {
    extraModprobeConfig+: '\n'
      // HD-Audio Generic (1022:15e3): the codec falls asleep after ten seconds and pops when it
      // wakes up; this keeps it awake.
      + 'options snd_hda_intel power_save=0 power_save_controller=N\n',
    kernelParams+: [
      // Preemption almost as with PREEMPT_RT, for the stock kernel that NVIDIA (10de:2704) asks
      // for.
      'preempt=full',
      // Interrupt threads with priorities, for the stock kernel that NVIDIA (10de:2704) asks for.
      // Priorities of interrupts need threads for them.
      'threadirqs',
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
      // NVIDIA (10de:2704): the maker's own modules refuse to be built for PREEMPT_RT, so the stock
      // kernel is the default, with preempt=full and threadirqs.
      // With the free driver nouveau the PREEMPT_RT kernel runs, too: musnix.kernel.realtime true
      // brings it back.
      realtime: false,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Yamaha TF (0499:170e) at 90, the sound server
      // below it.
      enable: true,
      // Yamaha TF (0499:170e): its sound comes through the interrupts of the USB controllers, so
      // they go first.
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
              // Yamaha TF (0499:170e): 128 frames at 48000 Hz are 2.7 ms a period. Start here, and
              // measure.
              // USB is best with three periods.
              // Dropouts at equal distances, every 110 s or so, come from the device's clock: try
              // its native rate (48000 Hz) or another port. A larger buffer does not help.
              'default.clock.quantum': 128,
              // Yamaha TF (0499:170e): one rate for all, 48000 Hz. Programs with another are
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
              // Yamaha TF (0499:170e): the Pro Audio profile has all its channels and nothing in
              // between.
              {
                actions: { 'update-props': { 'device.profile': 'pro-audio' } },
                matches: [
                  {
                    'api.alsa.card.longname': '~Yamaha Corporation Yamaha TF.*',
                    'device.name': '~alsa_card.*',
                  },
                ],
              },
              // Yamaha TF (0499:170e) is the card that is meant: it goes before displays, webcams
              // and loopbacks, whatever their numbers.
              {
                actions: { 'update-props': { 'priority.driver': 3000, 'priority.session': 3000 } },
                matches: [
                  {
                    'api.alsa.card.longname': '~Yamaha Corporation Yamaha TF.*',
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
        // Yamaha TF (0499:170e) must not be suspended when it is quiet: it would drop out. Now it
        // may.
        + 'ACTION!="remove", SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", '
          + 'ATTR{idVendor}=="0499", ATTR{idProduct}=="170e", TEST=="power/control", '
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
