// The hardware of this machine: Raspberry Pi 3 Model B Rev 1.2, 4 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - Native Instruments Komplete Audio 6 (17cc:1001) hangs on a weak controller (dwc_otg), which
//   crackles. This machine has no other.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
{
  boot+: {
    kernelParams+: [
      // The processor has 4 cores: interrupts are served by the first one, the others are left to
      // sound.
      'irqaffinity=0',
      // The processor: the kernel's deferred work (RCU callbacks) moves away from CPUs 1-3.
      'rcu_nocbs=1-3',
    ],
  },
  musnix+: {
    kernel+: {
      // No hardware of Raspberry Pi 3 Model B Rev 1.2, 4 cores stands against Debian's PREEMPT_RT
      // kernel. Some machines are no better with it: the latency measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Native Instruments Komplete Audio 6 (17cc:1001)
      // at 90, the sound server below it.
      enable: true,
      // Native Instruments Komplete Audio 6 (17cc:1001): its sound comes through the interrupts of
      // the USB controllers, so they go first.
      nameList: 'dwc_otg usb snd i8042',
    },
  },
  powerManagement+: {
    // The clock of the processor (driver BCM2835) stays high: going up takes longer than a small
    // buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    pipewire+: {
      extraConfig+: {
        pipewire+: {
          '90-hardware'+: {
            'context.properties'+: {
              // Native Instruments Komplete Audio 6 (17cc:1001): 256 frames at 48000 Hz are 5.3 ms
              // a period. Start here, and measure.
              // Its USB controller is a weak one, so the buffer is larger.
              // Dropouts at equal distances, every 110 s or so, come from the device's clock: try
              // its native rate (48000 Hz) or another port. A larger buffer does not help.
              'default.clock.quantum': 256,
              // Native Instruments Komplete Audio 6 (17cc:1001): one rate for all, 48000 Hz.
              // Programs with another are converted.
              'default.clock.rate': 48000,
            },
          },
        },
      },
      wireplumber+: {
        extraConfig+: {
          '90-hardware'+: {
            'monitor.alsa.rules'+: [
              // Native Instruments Komplete Audio 6 (17cc:1001): the Pro Audio profile has all its
              // channels and nothing in between.
              {
                actions: { 'update-props': { 'device.profile': 'pro-audio' } },
                matches: [
                  {
                    'api.alsa.card.longname': '~Native Instruments Komplete Audio 6.*',
                    'device.name': '~alsa_card.*',
                  },
                ],
              },
              // Native Instruments Komplete Audio 6 (17cc:1001) is the card that is meant: it goes
              // before displays, webcams and loopbacks, whatever their numbers.
              {
                actions: { 'update-props': { 'priority.driver': 3000, 'priority.session': 3000 } },
                matches: [
                  {
                    'api.alsa.card.longname': '~Native Instruments Komplete Audio 6.*',
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
        // Native Instruments Komplete Audio 6 (17cc:1001) must not be suspended when it is quiet:
        // it would drop out.
        + 'ACTION!="remove", SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", '
          + 'ATTR{idVendor}=="17cc", ATTR{idProduct}=="1001", TEST=="power/control", '
          + 'ATTR{power/control}="on"\n',
    },
  },
}

// Offered, and not chosen:
//
// The processor: CPU 3 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,3'] } }
//
// The processor: no timer tick on CPU 3 while one thread alone runs there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=3'] } }
