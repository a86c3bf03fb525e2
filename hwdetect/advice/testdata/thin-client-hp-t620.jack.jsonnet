// The hardware of this machine: Hewlett-Packard HP t620 Dual Core TC, AMD GX-217GA SOC with
// Radeon(tm) HD Graphics, 2 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - 2 cores: with fewer than 4 alike, no CPU is set apart.
// - HD-Audio Generic (1022:780d) shares interrupt 16 with ehci_hcd:usb1, and cannot be moved. An
//   interface of your own does better.
// - No audio interface was found: HD-Audio Generic (1022:780d) (onboard) is taken. Plug yours in
//   and ask again.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// Where to begin with the other cards:
// - HDA ATI HDMI (1002:9840) (PCI 0000:00:01.1): alsa, 48000 Hz, 512 frames, 3 periods.
{
  boot+: {
    extraModprobeConfig+: '\n'
      // HD-Audio Generic (1022:780d): the codec falls asleep after ten seconds and pops when it
      // wakes up; this keeps it awake.
      + 'options snd_hda_intel power_save=0 power_save_controller=N\n',
  },
  hardware+: {
    cpu+: {
      amd+: {
        // AMD GX-217GA SOC with Radeon(tm) HD Graphics: its maker's corrections (microcode) are
        // loaded before anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
  },
  musnix+: {
    kernel+: {
      // No hardware of Hewlett-Packard HP t620 Dual Core TC, AMD GX-217GA SOC with Radeon(tm) HD
      // Graphics, 2 cores stands against Debian's PREEMPT_RT kernel. Some machines are no better
      // with it: the latency measurement compares both.
      realtime: true,
    },
    rtirq+: {
      // Interrupt threads of sound above the rest: HD-Audio Generic (1022:780d) at 90, the sound
      // server below it.
      // HD-Audio Generic (1022:780d): its own interrupt goes first, then USB and the keyboard.
      enable: true,
    },
  },
  powerManagement+: {
    // The clock of AMD GX-217GA SOC with Radeon(tm) HD Graphics (driver acpi-cpufreq) stays high:
    // going up takes longer than a small buffer.
    cpuFreqGovernor: 'performance',
  },
  services+: {
    jack+: {
      jackd+: {
        // HD-Audio Generic (1022:780d): 256 frames at 48000 Hz are 5.3 ms a period. Start here, and
        // measure.
        // A mainboard's codec is a fallback: 256 frames and two periods.
        extraOptions: [
          '-R', '-P70', '-d', 'alsa', '-d', 'hw:Generic', '-r', '48000', '-p', '256', '-n', '2',
        ],
      },
    },
  },
}
