// The hardware of this machine: Somebody Desktop, Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz, 8
// cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - TC Electronic PowerCore Compact (vendor 0x000166, model 0x000002) on FireWire is no audio
//   interface (effect processor).
// - Solid State Logic Duende (vendor 0x0050c2, model 0x000070) on FireWire is no audio interface
//   (effect processor).
// - FlexRadio_Systems FLEX-3000 (vendor 0x001c2d, model 0x000002) on FireWire is no audio interface
//   (radio).
// - Tascam FE-8 (vendor 0x00022e, version 0x800001) on FireWire is no audio interface (control
//   surface).
// - Focusrite Liquid Mix (vendor 0x00130e, model 0x010200) on FireWire is no audio interface
//   (effect processor).
// - No card was found that plays or records.
// - Apple Computer, Inc. iSight (0x080007 0x000008 0x000a27:0x000010) makes no sound: a driver has
//   it and made no card.
//
// Not known:
// - What chooses the clock of the processor is not known: the profile's governor stays.
// - How long the processor takes to wake up is not known: its idle states stay as they are.
//
// FireWire:
// - FireWire controller (104c:8025) (PCI 0000:02:00.0): usable. Texas Instruments' chips are the
//   best known; the kernel works around faults of this old one.
// - YAMAHA 01X (vendor 0x00a0de, model 0x100005) (FireWire fw1.0): avoid. No Linux driver plays it.
// - Yamaha MR816 series (vendor 0x00a0de, model 0x100013) (FireWire fw2.0): avoid. No Linux driver
//   plays it.
// - Tascam IF-FW/DM (vendor 0x010065, model 0x010067) (FireWire fw9.0): avoid. No Linux driver
//   plays it.
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
