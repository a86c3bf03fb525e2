// The hardware of this machine: innotek GmbH VirtualBox, Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz,
// 2 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - This is a virtual machine of virtualbox: how late it comes is decided by its host. Kernel,
//   clock and sleep of processors stay as the profile has them. PipeWire uses no buffer below 1024
//   frames here.
// - Intel (8086:2415) shares interrupt 21 with ahci[0000:00:0d.0], and cannot be moved. An
//   interface of your own does better.
// - No audio interface was found: Intel (8086:2415) (onboard) is taken. Plug yours in and ask
//   again.
{}
