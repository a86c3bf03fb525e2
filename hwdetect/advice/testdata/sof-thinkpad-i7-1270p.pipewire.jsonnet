// The hardware of this machine: LENOVO 21CB, 12th Gen Intel(R) Core(TM) i7-1270P, 12 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - No audio interface was found: sof-hda-dsp (8086:51c8) (onboard) is taken. Plug yours in and ask
//   again.
//
// Not known:
// - What chooses the clock of the processor is not known: the profile's governor stays.
// - How long the processor takes to wake up is not known: its idle states stay as they are.
{
  boot+: {
    kernelParams+: [
      // 12th Gen Intel(R) Core(TM) i7-1270P has 4 cores for performance: interrupts are served by
      // the first one and the efficiency cores, the others are left to sound.
      'irqaffinity=0-1,8-15',
      // 12th Gen Intel(R) Core(TM) i7-1270P: the kernel's deferred work (RCU callbacks) moves away
      // from CPUs 2-7.
      'rcu_nocbs=2-7',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // 12th Gen Intel(R) Core(TM) i7-1270P: its maker's corrections (microcode) are loaded
        // before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
    // Sound device (8086:51c8) at 0000:00:1f.3 has a DSP (class 0x040380), which makes no sound
    // without its firmware.
    enableRedistributableFirmware: true,
  },
  musnix+: {
    kernel+: {
      // No hardware of LENOVO 21CB, 12th Gen Intel(R) Core(TM) i7-1270P, 12 cores stands against
      // Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency measurement
      // compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: sof-hda-dsp (8086:51c8) at 90, the sound server
      // below it.
      // sof-hda-dsp (8086:51c8): its own interrupt goes first, then USB and the keyboard.
      enable: true,
    },
  },
  services+: {
    pipewire+: {
      extraConfig+: {
        pipewire+: {
          '90-hardware'+: {
            'context.properties'+: {
              // sof-hda-dsp (8086:51c8): 512 frames at 48000 Hz are 10.7 ms a period. Start here,
              // and measure.
              // A DSP stands before this codec, with buffers of its own.
              'default.clock.quantum': 512,
              // sof-hda-dsp (8086:51c8): one rate for all, 48000 Hz. Programs with another are
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
              // sof-hda-dsp (8086:51c8) is the card that is meant: it goes before displays, webcams
              // and loopbacks, whatever their numbers.
              {
                actions: { 'update-props': { 'priority.driver': 3000, 'priority.session': 3000 } },
                matches: [
                  {
                    'api.alsa.card.longname': '~LENOVO-21CB-ThinkPadX1CarbonGen10.*',
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
  systemd+: {
    user+: {
      units+: {
        // 12th Gen Intel(R) Core(TM) i7-1270P is a hybrid: the sound server runs on its performance
        // cores (CPUs 0-7), not on its efficiency cores.
        'pipewire.service.d/cores.conf': { text: '[Service]\nCPUAffinity=0-7\n' },
      },
    },
  },
}

// Offered, and not chosen:
//
// 12th Gen Intel(R) Core(TM) i7-1270P: CPUs 6-7 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,6-7'] } }
//
// 12th Gen Intel(R) Core(TM) i7-1270P: no timer tick on CPUs 6-7 while one thread alone runs there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=6-7'] } }
//
// 12th Gen Intel(R) Core(TM) i7-1270P runs two threads on a core: one can hold up the other at high
// load.
// Half of the threads are gone, so less runs at once. Only for spikes that were measured.
// + { boot+: { kernelParams+: ['nosmt'] } }
