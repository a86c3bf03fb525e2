// The hardware of this machine: LG Electronics 16Z90U-H, Intel(R) Core(TM) Ultra 7 358H, 16 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - No card was found that plays or records.
// - A sound device (8086:e428) makes no sound: a driver has it and made no card.
//
// Not known:
// - How long the processor takes to wake up is not known: its idle states stay as they are.
{
  boot+: {
    kernelParams+: [
      // Intel(R) Core(TM) Ultra 7 358H has 4 cores for performance: interrupts are served by the
      // first one and the efficiency cores, the others are left to sound.
      'irqaffinity=0,4-11',
      // Intel(R) Core(TM) Ultra 7 358H: the kernel's deferred work (RCU callbacks) moves away from
      // CPUs 1-3.
      'rcu_nocbs=1-3',
    ],
  },
  hardware+: {
    cpu+: {
      intel+: {
        // Intel(R) Core(TM) Ultra 7 358H: its maker's corrections (microcode) are loaded before
        // anything else runs. Mainboards often have older ones.
        updateMicrocode: true,
      },
    },
    // Drivers asked for firmware that was not there: intel/sof, intel/sof-ipc4/ptl/sof-ptl.ri.
    // Sound device (8086:e428) at 0000:00:1f.3 has a DSP (class 0x040100), which makes no sound
    // without its firmware.
    enableRedistributableFirmware: true,
  },
  musnix+: {
    kernel+: {
      // No hardware of LG Electronics 16Z90U-H, Intel(R) Core(TM) Ultra 7 358H, 16 cores stands
      // against Debian's PREEMPT_RT kernel. Some machines are no better with it: the latency
      // measurement compares both.
      realtime: true,
    },
  },
  powerManagement+: {
    // The clock of Intel(R) Core(TM) Ultra 7 358H (driver intel_pstate) stays high: going up takes
    // longer than a small buffer.
    cpuFreqGovernor: 'performance',
    // This is a laptop with a battery (BAT0): there the clock follows the load. Plug it in to play.
    cpuFreqGovernorOnBattery: 'powersave',
  },
  systemd+: {
    user+: {
      units+: {
        // Intel(R) Core(TM) Ultra 7 358H is a hybrid: the sound server runs on its performance
        // cores (CPUs 0-3), not on its efficiency cores, and never on its low-power ones.
        'pipewire.service.d/cores.conf': { text: '[Service]\nCPUAffinity=0-3\n' },
      },
    },
  },
}

// Offered, and not chosen:
//
// Intel(R) Core(TM) Ultra 7 358H: CPU 3 for nothing but programs that you pin there.
// No program runs on these CPUs unless it is pinned there, so an ordinary session only loses them.
// + { boot+: { kernelParams+: ['isolcpus=managed_irq,domain,3'] } }
//
// Intel(R) Core(TM) Ultra 7 358H: no timer tick on CPU 3 while one thread alone runs there.
// Every entry into the kernel becomes slower on these CPUs. It helps one busy thread on each, and
// nothing else.
// + { boot+: { kernelParams+: ['nohz_full=3'] } }
