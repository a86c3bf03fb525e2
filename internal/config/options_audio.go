package config

// audioOptions: musnix's options and what else tunes for sound.
var audioOptions = []Option{
	declare("musnix.enable", boolean{}, false, "true",
		"Tune the machine for sound: threadirqs on the kernel's command line, the performance governor, vm.swappiness 10, room for file watches, real-time limits for group audio (rtprio 95, nice -19, locked memory, 99999 files), timers and /dev/cpu_dma_latency for group audio, and the search paths of plugins. Each can be set otherwise by its own option."),
	declare("musnix.alsaSeq.enable", boolean{}, true, "false",
		"With musnix.enable: load the ALSA sequencer and raw MIDI when the machine starts."),
	declare("musnix.das_watchdog.enable", boolean{}, false, "true",
		"Run das_watchdog, which takes real-time priority away from all when a program hogs the machine."),
	declare("musnix.ffado.enable", boolean{}, false, "true",
		"FireWire sound through FFADO: its tools, and JACK's FireWire driver."),
	declare("musnix.kernel.realtime", boolean{}, false, "true",
		"Boot the PREEMPT_RT kernel. It is Debian's own and ready-made."),
	declare("musnix.rtirq.enable", boolean{}, false, "true",
		"Raise the interrupt threads of sound hardware above the rest when the machine starts. It needs threaded interrupts: the PREEMPT_RT kernel, or musnix.enable, or threadirqs."),
	declare("musnix.rtirq.nameList", text{wordsFormat}, "snd usb i8042", "'snd usb i8042'",
		"Kinds of interrupts, from the highest priority down."),
	declare("musnix.rtirq.highList", text{wordsFormat}, "", "'timer'",
		"Names of kernel threads that get the very highest priorities, 99 down to 91."),
	declare("musnix.rtirq.prioHigh", integer{55, 95, "", 90}, 90, "90",
		"Priority of the first kind in nameList."),
	declare("musnix.rtirq.prioDecr", integer{1, 10, "", 5}, 5, "5",
		"How much lower each next kind is."),
	declare("musnix.rtirq.prioLow", integer{51, 95, "", 51}, 51, "51",
		"The lowest priority that is given."),
	declare("musnix.rtirq.resetAll", integer{0, 1, "", 0}, 0, "1",
		"1 takes all interrupt threads back to no real-time priority first."),
	declare("musnix.soundcardPciId", text{pciFormat}, nil, "'00:1b.0'",
		"The PCI address of the sound card, to give it the longest bus latency timer. Only conventional PCI has one: no use for PCI Express and USB."),

	declare("powerManagement.cpuFreqGovernor", enum{"performance", "schedutil", "ondemand", "conservative", "powersave", "userspace"}, nil, "'performance'",
		"How processors choose their clock. With musnix.enable, performance."),

	declare("services.jack.jackd.enable", boolean{}, false, "true",
		"Run the JACK sound server as a service of every normal user in group audio who is logged in or lingers."),
	declare("services.jack.jackd.extraOptions", list{text{wordFormat}, "words", false}, []any{"-dalsa"}, "['-R', '-P70', '-d', 'alsa', '-d', 'hw:0', '-r', '48000', '-p', '128']",
		"The words of jackd's command line; see jackd(1)."),
}
