package config

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"reprise/internal/diag"
)

func TestRootsAndTheirPlaces(t *testing.T) {
	c := config(t, `local more = ['nosuch', 'less', 'nosuch'];
{
  environment: { systemPackages: ['nano'] + more },
  boot: { kernelPackages: 'linux-image-9' },
  services: { openssh: { enable: true } },
  i18n: { defaultLocale: 'de_DE.UTF-8' },
}`)
	roots := c.Roots()
	for _, want := range []string{"nano", "nosuch", "less", "linux-image-9", "openssh-server", "locales", "systemd-sysv"} {
		if !slices.Contains(roots, want) {
			t.Errorf("roots lack %q", want)
		}
	}
	if !slices.IsSorted(roots) || len(slices.Compact(slices.Clone(roots))) != len(roots) {
		t.Errorf("roots are not sorted, each once: %q", roots)
	}
	for name, want := range map[string]diag.Problem{
		"nosuch":         {Line: 1, Col: 15, Field: "environment.systemPackages[1]", Got: "GOT"},
		"less":           {Line: 1, Col: 25, Field: "environment.systemPackages[2]", Got: "GOT"},
		"nano":           {Line: 3, Col: 35, Field: "environment.systemPackages[0]", Got: "GOT"},
		"linux-image-9":  {Line: 4, Col: 11, Field: "boot.kernelPackages", Got: "needs a package, but GOT"},
		"openssh-server": {Line: 5, Col: 26, Field: "services.openssh.enable", Got: "needs a package, but GOT"},
		"systemd":        {Field: "every machine", Got: "needs a package, but GOT"},
	} {
		want.File, want.Want, want.Do = c.places.file, "WANT", "DO"
		if got := c.PackageProblem(name, "GOT", "WANT", "DO"); got != want {
			t.Errorf("%s: problem is %+v, want %+v", name, got, want)
		}
	}
	if p, exact := c.Place("i18n.supportedLocales[0]"); exact || p.Line != 6 {
		t.Errorf("place of a computed value is %v, %v", p, exact)
	}
}

// One interface has one master: NetworkManager or networkd.
func TestNetworkManagerTakesNetworkdsPlace(t *testing.T) {
	c := config(t, `{ networking: { networkmanager: { enable: true }, useDHCP: true, interfaces: { eth1: { useDHCP: true }, eth0: { addresses: ['192.168.7.2/24'] }, stage: { useDHCP: true, permanentMACAddress: '52:54:00:12:34:56' } } } }`)
	if c.Networking.UseDHCP {
		t.Error("networkd asks for addresses too")
	}
	if !slices.Contains(c.Roots(), "network-manager") {
		t.Error("network-manager is not asked for")
	}
	const want = "[keyfile]\npath=/var/lib/reprise/state/NetworkManager/system-connections\nunmanaged-devices=interface-name:eth0;interface-name:eth1;mac:52:54:00:12:34:56\n"
	if got := c.Environment.Etc["NetworkManager/conf.d/10-reprise.conf"].Text; got != want {
		t.Errorf("NetworkManager reads %q, want %q", got, want)
	}
	if plain := config(t, `{}`); !plain.Networking.UseDHCP || slices.Contains(plain.Roots(), "network-manager") {
		t.Error("a plain configuration has NetworkManager, or no networkd")
	}
}

// TestSameConfigSameBytes holds that neither the order in a file nor a way of
// writing it shows in Canonical.
func TestSameConfigSameBytes(t *testing.T) {
	one := config(t, `{ networking: { hostName: 'a' }, users: { users: { x: { uid: 1000, extraGroups: ['audio', 'wheel'] }, y: { uid: 1001 } } }, boot: { kernel: { sysctl: { 'a.b': 1, 'c.d': true } } } }`)
	two := config(t, `local u(n) = { uid: n };
	{ boot: { kernel: { sysctl: { 'c.d': '1', 'a.b': '1' } } }, users: { users: { y: u(1001), x: u(1000) + { extraGroups+: ['sudo', 'audio', 'audio'] } } } } + { networking+: { hostName: 'a' }, mine:: 7 }`)
	if !bytes.Equal(one.Canonical(), two.Canonical()) {
		t.Errorf("two spellings differ:\n%s\n%s", one.Canonical(), two.Canonical())
	}
	if bytes.Contains(one.Canonical(), []byte("\n")) || strings.Contains(string(one.Canonical()), "rig.jsonnet") {
		t.Errorf("Canonical is no single line, or knows its file: %s", one.Canonical())
	}
}

func BenchmarkEvaluate(b *testing.B) {
	for b.Loop() {
		if _, err := Evaluate(b.Context(), "live-rig", EvalOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
