// The hardware of this machine: QEMU Standard PC (Q35 + ICH9, 2009), Intel(R) Xeon(R) CPU E5-2695
// v4 @ 2.10GHz, 8 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// What does not go together:
// - NVIDIA (10de:15f8): the maker's own modules refuse to be built for PREEMPT_RT, so the stock
//   kernel is the default, with preempt=full and threadirqs. With the free driver nouveau the
//   PREEMPT_RT kernel runs, too: musnix.kernel.realtime true brings it back.
//
// Good to know:
// - This is a virtual machine of qemu: how late it comes is decided by its host. PipeWire uses no
//   buffer below 1024 frames here.
// - No card was found that plays or records.
{
  boot+: {
    kernelParams+: [
      // Preemption almost as with PREEMPT_RT, for the stock kernel that NVIDIA (10de:15f8) asks
      // for.
      'preempt=full',
      // Interrupt threads with priorities, for the stock kernel that NVIDIA (10de:15f8) asks for.
      'threadirqs',
    ],
  },
  musnix+: {
    kernel+: {
      // NVIDIA (10de:15f8): the maker's own modules refuse to be built for PREEMPT_RT, so the stock
      // kernel is the default, with preempt=full and threadirqs.
      // With the free driver nouveau the PREEMPT_RT kernel runs, too: musnix.kernel.realtime true
      // brings it back.
      realtime: false,
    },
  },
}
