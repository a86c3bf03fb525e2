package config

import "fmt"

// onPowerChange is a rule of udev that lets a service look again when mains
// power comes or goes. Batteries tell of every per cent; only what they are
// charged from counts.
func onPowerChange(service string) string {
	return `SUBSYSTEM=="power_supply", ACTION=="change", ATTR{type}=="Mains|USB", RUN+="/usr/bin/systemctl --no-block restart ` + service + `"` + "\n"
}

// governor sets the clock's governor for processors that are there, and tells
// the kernel for drivers that load and processors that come later.
func governor(c *Config) {
	g, battery := c.PowerManagement.CPUFreqGovernor, c.PowerManagement.CPUFreqGovernorOnBattery
	if g == "" {
		return
	}
	c.Boot.KernelParams = withAll(c.Boot.KernelParams, "cpufreq.default_governor="+g)
	value, choose := g, ""
	if battery != "" && battery != g {
		value, choose = "$$g", "g="+g+"; systemd-ac-power || g="+battery+"; "
		c.etc("udev/rules.d/90-reprise-governor.rules", "0644", onPowerChange("cpufreq.service"))
	}
	unit(c.Systemd.Units, "cpufreq.service", `[Unit]
Description=CPU frequency governor
After=systemd-modules-load.service systemd-udev-trigger.service
ConditionPathIsReadWrite=/sys/devices/system/cpu
ConditionPathExistsGlob=/sys/devices/system/cpu/cpufreq/policy*/scaling_governor

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c '`+choose+`for p in /sys/devices/system/cpu/cpufreq/policy*/scaling_governor; do echo `+value+` > "$$p" || exit 1; done'
`, "multi-user.target")
}

// idle holds /dev/cpu_dma_latency open: while somebody does, the kernel leaves
// out idle states that take longer to leave than the number written to it. It
// is read as hexadecimal, unless it is four bytes long.
// Source: Linux 6.12, admin-guide/pm/cpuidle.rst, "Power Management Quality of
// Service for CPUs", and cpu_latency_qos_write in kernel/power/qos.c.
func idle(c *Config) {
	micros := c.PowerManagement.MaxIdleLatency
	if micros == nil {
		return
	}
	unit(c.Systemd.Units, "cpu-latency.service", fmt.Sprintf(`[Unit]
Description=Keep processors out of idle states that take over %d microseconds to leave
ConditionACPower=true

[Service]
ExecStart=/bin/sh -c 'exec 3>/dev/cpu_dma_latency && echo 0x%08x >&3 && exec sleep infinity'
`, *micros, *micros), "multi-user.target")
	c.etc("udev/rules.d/90-reprise-idle.rules", "0644", onPowerChange("cpu-latency.service"))
}
