// The hardware of this machine: QEMU Standard PC (Q35 + ICH9, 2009), AMD Ryzen 7 3700X 8-Core
// Processor, 2 cores.
// Written by reprise from what it found. Each value stands below its reasons; change what you know
// better. The configuration joins this to its profile with +.
//
// Good to know:
// - This is a virtual machine of kvm: how late it comes is decided by its host. Kernel, clock and
//   sleep of processors stay as the profile has them. PipeWire uses no buffer below 1024 frames
//   here.
// - No card was found that plays or records.
{}
