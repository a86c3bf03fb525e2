// The hardware of this machine: Somebody Desktop, AMD Ryzen 9 7950X 16-Core Processor, 16 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
{
  boot+: {
    kernelParams+: [
      // AMD Ryzen 9 7950X 16-Core Processor has 16 cores: interrupts are served by the first two,
      // the others are left to sound.
      'irqaffinity=0-3',
      // AMD Ryzen 9 7950X 16-Core Processor: the kernel's deferred work (RCU callbacks) moves away
      // from CPUs 4-31.
      'rcu_nocbs=4-31',
    ],
  },
  hardware+: {
    cpu+: {
      amd+: {
        // AMD Ryzen 9 7950X 16-Core Processor: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Desktop, AMD Ryzen 9 7950X 16-Core Processor, 16 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Focusrite Scarlett 18i8 (1235:8214) at 90, the
      // sound server below it.
      enable: true,
      // Focusrite Scarlett 18i8 (1235:8214): its sound comes through the interrupts of the USB
      // controllers, so they go first.
      nameList: 'usb snd i8042',
    },
  },
  powerManagement+: {
    // The clock of AMD Ryzen 9 7950X 16-Core Processor (driver amd-pstate-epp) stays high: going up
    // takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    pipewire+: {
      extraConfig+: {
        pipewire+: {
          '90-hardware'+: {
            'context.properties'+: {
              // Focusrite Scarlett 18i8 (1235:8214): 128 frames at 48000 Hz are 2.7 ms a period.
              // Start here, and measure.
              // USB is best with three periods.
              // Dropouts at equal distances, every 110 s or so, come from the device's clock: try
              // its native rate (48000 Hz) or another port. A larger buffer does not help.
              'default.clock.quantum': 128,
              // Focusrite Scarlett 18i8 (1235:8214): one rate for all, 48000 Hz. Programs with
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
              // Focusrite Scarlett 18i8 (1235:8214): the Pro Audio profile has all its channels and
              // nothing in between.
              {
                actions: { 'update-props': { 'device.profile': 'pro-audio' } },
                matches: [
                  {
                    'api.alsa.card.longname': '~Focusrite Scarlett 18i8 USB.*',
                    'device.name': '~alsa_card.*',
                  },
                ],
              },
              // Focusrite Scarlett 18i8 (1235:8214) is the card that is meant: it goes before
              // displays, webcams and loopbacks, whatever their numbers.
              {
                actions: { 'update-props': { 'priority.driver': 3000, 'priority.session': 3000 } },
                matches: [
                  {
                    'api.alsa.card.longname': '~Focusrite Scarlett 18i8 USB.*',
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
        // Focusrite Scarlett 18i8 (1235:8214) must not be suspended when it is quiet: it would drop
        // out. Now it may.
        + 'ACTION!="remove", SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", '
          + 'ATTR{idVendor}=="1235", ATTR{idProduct}=="8214", TEST=="power/control", '
          + 'ATTR{power/control}="on"\n',
    },
  },
}

// Offered, and not chosen:
//
// AMD Ryzen 9 7950X 16-Core Processor: CPUs 28-31 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,28-31'] } }
//
// AMD Ryzen 9 7950X 16-Core Processor: no timer tick on CPUs 28-31 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=28-31'] } }
//
// AMD Ryzen 9 7950X 16-Core Processor runs two threads on a core: one can hold up the other at high
// load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
