// The hardware of this machine: Raspberry Pi 4 Model B Rev 1.4, 4 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// Where to begin with the other cards:
// - vc4-hdmi-0 (platform fef00700.hdmi): alsa, 48000 Hz, 512 frames, 3 periods.
// - vc4-hdmi-1 (platform fef05700.hdmi): alsa, 48000 Hz, 512 frames, 3 periods.
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
      // No hardware of Raspberry Pi 4 Model B Rev 1.4, 4 cores stands against Debian's PREEMPT_RT
      // kernel. Some machines are no better with it: the latency measurement compares both.
      realtime: true,
    },
  },
  powerManagement+: {
    // The clock of the processor (driver cpufreq-dt) stays high: going up takes longer than a small
    // buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    pipewire+: {
      extraConfig+: {
        pipewire+: {
          '90-hardware'+: {
            'context.properties'+: {
              // snd_rpi_hifiberry_dacplus: 256 frames at 48000 Hz are 5.3 ms a period. Start here,
              // and measure.
              // A board's own sound: a careful start.
              'default.clock.quantum': 256,
              // snd_rpi_hifiberry_dacplus: one rate for all, 48000 Hz. Programs with another are
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
              // snd_rpi_hifiberry_dacplus: the Pro Audio profile has all its channels and nothing
              // in between.
              {
                actions: { 'update-props': { 'device.profile': 'pro-audio' } },
                matches: [
                  {
                    'api.alsa.card.longname': '~snd_rpi_hifiberry_dacplus.*',
                    'device.name': '~alsa_card.*',
                  },
                ],
              },
              // snd_rpi_hifiberry_dacplus is the card that is meant: it goes before displays,
              // webcams and loopbacks, whatever their numbers.
              {
                actions: { 'update-props': { 'priority.driver': 3000, 'priority.session': 3000 } },
                matches: [
                  {
                    'api.alsa.card.longname': '~snd_rpi_hifiberry_dacplus.*',
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
// The processor: CPU 3 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,3'] } }
//
// The processor: no timer tick on CPU 3 while one thread alone runs there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=3'] } }
