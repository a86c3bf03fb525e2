package hwdetect

import (
	"regexp"
	"slices"
	"strings"
)

// klog is what the kernel logged, a message an entry, without time stamps.
type klog []string

// maxLog bounds the messages that are looked at.
const maxLog = 100_000

// stamp is what may stand before a message: "<6>", "[    1.234567] ", with the
// caller behind it, and the head of /dev/kmsg's records "6,123,4567,-;".
var stamp = regexp.MustCompile(`^(?:<\d+>)?(?:\d+,\d+,\d+,[^;]*;)?(?:\[ *\d+\.\d+\])?(?:\[ *[CT]\d+\])? ?`)

func parseLog(data []byte) klog {
	var log klog
	for _, line := range lines(data) {
		// Records of /dev/kmsg have continuation lines with a blank first.
		if message := clean(stamp.ReplaceAllString(line, "")); message != "" && len(log) < maxLog {
			log = append(log, message)
		}
	}
	return log
}

// maxAbout is how many messages about one device are kept.
const maxAbout = 8

// about returns the messages in which a device's name stands as a word, that
// tell of trouble.
func (l klog) about(device string) []string {
	var out []string
	for _, m := range l {
		i := strings.Index(m, device)
		if i < 0 || !troubling(m) || len(out) == maxAbout || slices.Contains(out, m) {
			continue
		}
		if end := i + len(device); end < len(m) && (m[end] == '.' && end+1 < len(m) && m[end+1] >= '0' && m[end+1] <= '9' || m[end] >= '0' && m[end] <= '9') {
			continue // "usb 1-5" in "usb 1-5.2"
		}
		out = append(out, m)
	}
	return out
}

var trouble = []string{"fail", "error", "invalid", "no matching", "not enabled", "aborting", "no soundwire", "not found", "unsupported", "timeout", "cannot", "unable", "missing", "-71"}

func troubling(m string) bool {
	lower := strings.ToLower(m)
	return slices.ContainsFunc(trouble, func(w string) bool { return strings.Contains(lower, w) })
}

// missing are the ways in which drivers say that a file was not there. All but
// the last come from the kernel's own loader.
// Source: drivers/base/firmware_loader/main.c, _request_firmware.
var missing = []*regexp.Regexp{
	regexp.MustCompile(`^(\S+) (\S+): Direct firmware load for (\S+) failed with error -2$`),
	regexp.MustCompile(`^(\S+) (\S+): firmware: failed to load (\S+) \(-2\)$`), // Debian's kernels
	regexp.MustCompile(`^(\S+) (\S+): error: sof firmware file is missing`),
}

// readMissingFirmware lists the files that drivers did not get, each once.
func readMissingFirmware(log klog) []MissingFirmware {
	var all []MissingFirmware
	for _, m := range log {
		for _, form := range missing {
			f := form.FindStringSubmatch(m)
			if f == nil {
				continue
			}
			file := "intel/sof"
			if len(f) > 3 {
				file = f[3]
			}
			one := MissingFirmware{Driver: some(f[1]), Device: some(f[2]), File: file}
			// regulatory.db and the like are asked for by the kernel itself.
			if !slices.ContainsFunc(all, func(o MissingFirmware) bool { return o.File == one.File && o.Device == one.Device }) {
				all = append(all, one)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b MissingFirmware) int { return strings.Compare(a.File, b.File) })
	return all
}
