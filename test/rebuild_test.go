package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMachineRebuildsItself composes a machine's own system as the installer
// does, without a network, and asks what a build of the same configuration and
// lock would make: the same system.
func TestMachineRebuildsItself(t *testing.T) {
	r := liveRig(t)
	key, err := os.ReadFile(r.keyFile + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	lock, err := os.ReadFile(r.lock)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "configuration.jsonnet")
	for name, text := range map[string]string{
		file: fmt.Sprintf("(import 'reprise/live-rig.jsonnet') + { networking+: { hostName: 'rebuilt' },\n"+
			"  users+: { users+: { rig+: { openssh+: { authorizedKeys+: { keys+: [%q] } } } } } }\n", strings.TrimSpace(string(key))),
		filepath.Join(dir, "reprise.lock"): string(lock),
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	type told struct {
		Event, System string
		Made          bool
	}
	dry := func() (last told) {
		t.Helper()
		out := must(t, toolLimit, "build", file, "--dry-run", "--json", "-q", "--offline")
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || last.Event != "plan" {
			t.Fatalf("%v: %s", err, out)
		}
		return last
	}
	before := dry()
	var composed told
	if err := json.Unmarshal([]byte(must(t, buildLimit, "compose", "-q", file)), &composed); err != nil {
		t.Fatal(err)
	}
	if composed.System == "" || composed.System != before.System {
		t.Errorf("the installer composes %q, and a build would make %q", composed.System, before.System)
	}
	if composed.System == r.system {
		t.Error("another host has the same system")
	}
	if after := dry(); after.System != composed.System || !after.Made {
		t.Errorf("afterwards a build would make %+v, want %q, which is there", after, composed.System)
	}
}
