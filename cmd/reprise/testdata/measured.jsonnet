// The configuration of rig. Written by the installer, and yours from now on:
// sudo reprise switch makes the machine what it says. Every option is in docs/options.md.
//
// Latency, measured 2026-12-01 12:00 UTC:
// 6.12.117+deb13-rt-amd64, PREEMPT_RT.
// cyclictest, SCHED_FIFO 90, every 200 us on 1 core, 30 s; beside it 1 thread
// hashed 7.0 GiB, threads woke each other 1,234,567 times, and 1.0 GiB of the
// medium were read from its disk.
// core         wake-ups   min  average    99 %  99.99 %     max   over 400
// 0             150,000     1      1.3       2        2     512          1
// 128 frames at 48000 Hz (2.67 ms) look safe. The latest wake-up on any core
// came 512 us late, 9,999 of 10,000 came within 2 us. A period waits for some
// 4 wake-ups in a row (card, server, application, server): one as late as the
// latest and the others as late as those, 0.52 ms together, should take no
// more than a third of it.
// Without the latest one of 10,000 wake-ups 32 frames would do: at that,
// expect a click now and then.
// 30 seconds do not show everything, and the wake-up is not the whole way of
// the sound: driver, USB and plugins take their time too. Begin with this
// quantum, and listen.
// Beside other kernels of this machine:
// kernel                  6.12.117+deb13-rt-amd64         6.12.117+deb13-amd64
//                                      PREEMPT_RT ~EEMPT_DYNAMIC, preempt=full
// measured                       2026-12-01 12:00             2026-12-01 12:00
// seconds                                      30                           30
// average us                                  1.3                          1.3
// 99 % within                                   2                            2
// 99.99 % within                                2                            2
// latest                                      512                          512
// over 400                                      1                            1
// looks safe                           128 frames                   128 frames
(import 'reprise/live-rig.jsonnet') + {
  networking+: {
    hostName: 'rig',
  },
}
