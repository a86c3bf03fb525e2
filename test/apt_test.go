package test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"reprise/internal/archive"
	"reprise/internal/resolve"
)

// aptRoots are packages of different kinds: sound, desktops, servers,
// compilers, deep stacks with many alternatives, and small things.
var aptRoots = strings.Fields(`jackd2 ardour xfce4 pipewire-jack supercollider network-manager systemd systemd-sysv
	openssh-server linux-image-rt-amd64 lightdm xorg guitarix qjackctl hydrogen lsp-plugins-lv2 calf-plugins zynaddsubfx
	sway labwc bluez cups wireplumber pipewire-pulse firefox-esr vlc ffmpeg python3 mmdebstrap shim-signed
	qemu-system-x86 nix-bin default-jre exim4 postfix build-essential git csound puredata lmms audacity mixxx
	rtirq-init alsa-utils rt-tests gnome-core samplv1 raysession qpwgraph ffado-tools e2fsprogs xorriso
	network-manager-gnome thunar gvfs postgresql`)

// TestApt holds that we choose what apt would choose on an empty system, from
// the same signed index. Every difference stands in testdata/apt-differences.txt
// with its reason.
func TestApt(t *testing.T) {
	sources, err := archive.MachineSources(os.DirFS("/"), os.Getenv("REPRISE_MIRROR"))
	if err != nil {
		t.Fatal(err)
	}
	client := &archive.Client{Sources: sources, Arch: "amd64", Dir: filepath.Join(store, "nix/var/reprise/archive")}
	index, err := client.Index(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	universe := resolve.NewUniverse(index.Packages, "amd64")

	dir := t.TempDir()
	for _, d := range []string{"lists/partial", "cache/archives/partial", "etc/apt.conf.d", "etc/preferences.d", "dpkg"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var lines strings.Builder
	for _, s := range sources {
		// Our client has verified the same index; apt is asked about choosing.
		fmt.Fprintf(&lines, "deb [trusted=yes] %s %s %s\n", s.URL, s.Suite, strings.Join(s.Components, " "))
	}
	for name, text := range map[string]string{
		"etc/sources.list": lines.String(),
		"dpkg/status":      "",
		"apt.conf": `Dir::Etc "/apt/etc"; Dir::State "/apt"; Dir::State::lists "/apt/lists";
Dir::State::status "/apt/dpkg/status"; Dir::Cache "/apt/cache"; APT::Sandbox::User "root";
APT::Architecture "amd64"; APT::Architectures { "amd64"; }; APT::Install-Recommends "false"; Acquire::Languages "none";
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	script := "apt-get update >&2 || exit 1; for root in " + strings.Join(aptRoots, " ") + "; do echo \"== $root\"; apt-get -s install $root || echo FAILED; done"
	r := reprise(t, buildLimit, "tool", "-q", "-p", "apt,dash,coreutils,ca-certificates,dpkg", "--network", "--bind", dir+":/apt:rw",
		"--env", "APT_CONFIG=/apt/apt.conf", "--", "/usr/bin/dash", "-c", script)
	if r.code != 0 {
		t.Fatalf("apt: exit status %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	apt := map[string][]string{}
	root := ""
	for line := range strings.Lines(r.stdout) {
		switch words := strings.Fields(line); {
		case len(words) == 2 && words[0] == "==":
			root = words[1]
			apt[root] = nil
		case len(words) > 1 && words[0] == "Inst":
			apt[root] = append(apt[root], words[1])
		}
	}
	if len(apt) != len(aptRoots) || len(apt) < 40 {
		t.Fatalf("apt answered for %d of %d roots", len(apt), len(aptRoots))
	}
	known := differences(t)
	equal := 0
	used := map[string]bool{}
	for _, root := range aptRoots {
		answer, err := universe.Solve(resolve.Request{Roots: []string{root}})
		if err != nil {
			t.Errorf("%s: %v; apt takes %d packages", root, err, len(apt[root]))
			continue
		}
		var ours []string
		for _, p := range answer {
			ours = append(ours, p.Name)
		}
		same := true
		for _, d := range difference(root, ours, apt[root]) {
			same = false
			if reason, ok := known[d]; ok {
				used[d] = reason
			} else {
				t.Errorf("%s: a difference that testdata/apt-differences.txt does not explain", d)
			}
		}
		if same {
			equal++
		}
	}
	for d := range known {
		if !used[d] {
			t.Errorf("testdata/apt-differences.txt explains %q, which is no difference any more", d)
		}
	}
	t.Logf("%d of %d roots: the same set as apt", equal, len(aptRoots))
}

// difference returns lines "ROOT +PACKAGE" for what only we take and
// "ROOT -PACKAGE" for what only apt takes.
func difference(root string, ours, theirs []string) []string {
	var lines []string
	for _, p := range ours {
		if !slices.Contains(theirs, p) {
			lines = append(lines, root+" +"+p)
		}
	}
	for _, p := range theirs {
		if !slices.Contains(ours, p) {
			lines = append(lines, root+" -"+p)
		}
	}
	return lines
}

// differences reads the explained ones: "ROOT ±PACKAGE<TAB>reason".
func differences(t *testing.T) map[string]bool {
	t.Helper()
	f, err := os.Open("testdata/apt-differences.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	known := map[string]bool{}
	for s := bufio.NewScanner(f); s.Scan(); {
		if line := s.Text(); line != "" && line[0] != '#' {
			what, reason, ok := strings.Cut(line, "\t")
			if !ok || reason == "" {
				t.Fatalf("apt-differences.txt: %q has no reason", line)
			}
			known[what] = true
		}
	}
	return known
}
