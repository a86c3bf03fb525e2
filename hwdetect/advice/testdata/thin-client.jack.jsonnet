// The hardware of this machine: HP t520 Flexible Series TC, AMD GX-212JC SOC, 2 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - 2 cores: with fewer than 4 alike, no CPU is set apart.
// - No audio interface was found: HD-Audio Generic (1022:15e3) (onboard) is taken. Plug yours in
//   and ask again.
{
  boot+: {
    extraModprobeConfig+: '\n'
      // HD-Audio Generic (1022:15e3): the codec falls asleep after ten seconds and pops when it
      // wakes up; this keeps it awake.
      + 'options snd_hda_intel power_save=0 power_save_controller=N\n',
  },
  musnix+: {
    kernel+: {
      // No hardware of HP t520 Flexible Series TC, AMD GX-212JC SOC, 2 cores stands against
      // Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency measurement
      // compares both.
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
    // The clock of AMD GX-212JC SOC (driver acpi-cpufreq) stays high: going up takes longer than a
    // small buffer.
    cpuFreqGovernor: 'performance',
    // AMD GX-212JC SOC sleeps in states that take long to leave (C3 350 µs): a small box must not
    // get hot, so only the deepest go, and on battery none.
    maxIdleLatency: 200,
  },
  services+: {
    jack+: {
      jackd+: {
        // HD-Audio Generic (1022:15e3): 256 frames at 48000 Hz are 5.3 ms a period. Start here, and
        // measure.
        // A mainboard's codec is a fallback: 256 frames and two periods.
        extraOptions: [
          '-R', '-P70', '-d', 'alsa', '-d', 'hw:Generic', '-r', '48000', '-p', '256', '-n', '2',
        ],
      },
    },
  },
}

// Offered, and not chosen:
//
// AMD GX-212JC SOC: the kernel works around a weakness (spectre_v2), which costs time at every
// entry into the kernel.
// Programs, and pages in a browser, can then read what other programs keep in memory. For a machine
// that never meets the network.
// + { boot+: { kernelParams+: ['mitigations=off'] } }
