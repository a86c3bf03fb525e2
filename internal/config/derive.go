package config

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// kernels maps the names of boot.kernelPackages to Debian's meta packages for
// amd64. Source: trixie, source package linux-signed-amd64.
var kernels = map[string]string{
	"linux":    "linux-image-amd64",
	"linux-rt": "linux-image-rt-amd64",
}

// KernelPackage is the Debian package that brings the kernel. It is a meta
// package for the short names and depends on the image of one version.
func (c *Config) KernelPackage() string {
	if p, ok := kernels[c.Boot.KernelPackages]; ok {
		return p
	}
	return c.Boot.KernelPackages
}

// Realtime reports whether the kernel is a PREEMPT_RT one. Debian's have
// "-rt-" in the package name.
func (c *Config) Realtime() bool { return realtimeKernel(c.KernelPackage()) }

func realtimeKernel(pkg string) bool { return strings.Contains(pkg, "-rt-") }

// base is what a machine of ours needs to boot, be reached and be looked
// after, besides Debian's essential packages.
var base = []string{
	"ca-certificates", "dbus", "e2fsprogs", "iproute2", "iputils-ping", "kmod",
	"libpam-systemd", "login", "netbase", "passwd", "procps", "systemd",
	"systemd-resolved", "systemd-sysv", "systemd-timesyncd", "tzdata", "udev",
}

// Roots returns the Debian packages to resolve for this machine besides the
// essential ones: the base, the kernel, what options need and
// environment.systemPackages; sorted, each once. A fault of one of them is
// told through PackageProblem.
func (c *Config) Roots() []string {
	roots := slices.Concat(base, c.Environment.SystemPackages, []string{c.KernelPackage()})
	if len(c.I18n.SupportedLocales) > 0 {
		roots = append(roots, "locales")
	}
	slices.Sort(roots)
	return slices.Compact(roots)
}

// Canonical returns the Config as JSON on one line, for hashing and
// comparing: fields in declared order, map keys sorted, no places in it.
func (c *Config) Canonical() []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(c); err != nil {
		panic("config of plain data does not encode: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
