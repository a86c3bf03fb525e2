package config

import "testing"

func TestLiveRig(t *testing.T) {
	c, err := Evaluate(t.Context(), "live-rig", EvalOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Networking.HostName != "live-rig" || !c.Realtime() {
		t.Errorf("host %q, kernel %q", c.Networking.HostName, c.KernelPackage())
	}
}
