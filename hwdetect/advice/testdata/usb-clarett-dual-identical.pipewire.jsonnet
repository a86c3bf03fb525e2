// The hardware of this machine: Somebody Desktop, Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz, 8
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// To do by hand:
// - Focusrite Clarett+ 8Pre (1235:8208) shares its controller with another audio interface: put one
//   on another port. All ports here belong to one controller, so it takes a USB card in a slot.
//
// Good to know:
// - Focusrite Clarett+ 8Pre (1235:8208) is there more than once. Only its port (USB 1-3) tells
//   which it is: leave both where they are.
// - Focusrite Clarett+ 8Pre (1235:8208) is there more than once. Only its port (USB 1-4) tells
//   which it is: leave both where they are.
// - Focusrite Clarett+ 8Pre (1235:8208) at USB 1-3 is taken for the studio card. There is also
//   Focusrite Clarett+ 8Pre (1235:8208) at USB 1-4.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// Where to begin with the other cards:
// - Focusrite Clarett+ 8Pre (1235:8208) (USB 1-4): alsa, 48000 Hz, 128 frames, 3 periods.
{
  boot+: {
    kernelParams+: [
      // Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz has 8 cores: interrupts are served by the first
      // two, the others are left to sound.
      'irqaffinity=0-1',
      // Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz: the kernel's deferred work (RCU callbacks) moves
      // away from CPUs 2-7.
      'rcu_nocbs=2-7',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Somebody Desktop, Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz, 8 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: Focusrite Clarett+ 8Pre (1235:8208) at 90, the
      // sound server below it.
      enable: true,
      // Focusrite Clarett+ 8Pre (1235:8208): its sound comes through the interrupts of the USB
      // controllers, so they go first.
      nameList: 'usb snd i8042',
    },
  },
  powerManagement+: {
    // The clock of Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz (driver intel_pstate) stays high: going
    // up takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    pipewire+: {
      extraConfig+: {
        pipewire+: {
          '90-hardware'+: {
            'context.properties'+: {
              // Focusrite Clarett+ 8Pre (1235:8208): 128 frames at 48000 Hz are 2.7 ms a period.
              // Start here, and measure.
              // USB is best with three periods.
              // Dropouts at equal distances, every 110 s or so, come from the device's clock: try
              // its native rate (48000 Hz) or another port. A larger buffer does not help.
              'default.clock.quantum': 128,
              // Focusrite Clarett+ 8Pre (1235:8208): one rate for all, 48000 Hz. Programs with
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
              // Focusrite Clarett+ 8Pre (1235:8208): the Pro Audio profile has all its channels and
              // nothing in between.
              {
                actions: { 'update-props': { 'device.profile': 'pro-audio' } },
                matches: [
                  {
                    'api.alsa.card.longname': '~Focusrite Clarett. 8Pre at usb-0000.00.14.0-3. '
                      + 'high speed',
                    'device.name': '~alsa_card.*',
                  },
                ],
              },
              // Focusrite Clarett+ 8Pre (1235:8208) is the card that is meant: it goes before
              // displays, webcams and loopbacks, whatever their numbers.
              {
                actions: { 'update-props': { 'priority.driver': 3000, 'priority.session': 3000 } },
                matches: [
                  {
                    'api.alsa.card.longname': '~Focusrite Clarett. 8Pre at usb-0000.00.14.0-3. '
                      + 'high speed',
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
        // Focusrite Clarett+ 8Pre (1235:8208) must not be suspended when it is quiet: it would drop
        // out.
        + 'ACTION!="remove", SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", '
          + 'ATTR{idVendor}=="1235", ATTR{idProduct}=="8208", TEST=="power/control", '
          + 'ATTR{power/control}="on"\n',
    },
  },
}

// Offered, and not chosen:
//
// Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz: CPUs 6-7 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,6-7'] } }
//
// Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz: no timer tick on CPUs 6-7 while one thread alone runs
// there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=6-7'] } }
