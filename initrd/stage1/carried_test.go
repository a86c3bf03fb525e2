package stage1

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reprise/hwdetect"
)

func TestHeldFireWire(t *testing.T) {
	yes, no, unknown := hwdetect.Is(true), hwdetect.Is(false), hwdetect.Known[bool]{}
	all := []hwdetect.FireWireController{
		{PCI: "0000:01:00.0", RebootsOnCycleTimer: no},
		{PCI: "0000:02:00.0", RebootsOnCycleTimer: yes},
		{PCI: "0000:03:00.0", RebootsOnCycleTimer: unknown},
	}
	var held []string
	for _, c := range heldFireWire(all) {
		held = append(held, c.PCI)
	}
	if d := cmp.Diff([]string{"0000:02:00.0", "0000:03:00.0"}, held); d != "" {
		t.Error(d)
	}
}

func TestCarriedWith(t *testing.T) {
	const stock, rt = "/nix/store/00000000000000000000000000000000-system-a", "/nix/store/11111111111111111111111111111111-system-b"
	list := &carriedList{Systems: []carriedSystem{{Path: stock, Kernel: "6.12-amd64"}, {Path: rt, Kernel: "6.12-rt-amd64"}, {Path: "../elsewhere", Kernel: "6.13"}}}
	for kernel, want := range map[string]string{"6.12-amd64": stock, "6.12-rt-amd64": rt, "6.13": "", "": ""} {
		got, ok := list.with(kernel)
		if got.Path != want || ok != (want != "") {
			t.Errorf("with(%q) = %q, %v, want %q", kernel, got.Path, ok, want)
		}
	}
}

// Whoever waits makes stage 1 begin, and is told when it is done.
func TestSettle(t *testing.T) {
	c := newCarriedDrivers()
	socket := filepath.Join(t.TempDir(), "drivers")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go c.answer(l)
	ends := make(chan error, 2)
	for range cap(ends) {
		go func() { ends <- Medium{Drivers: socket}.Settle(t.Context()) }()
	}
	<-c.ask
	select {
	case err := <-ends:
		t.Fatalf("nobody has loaded anything, and Settle returns %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(c.done)
	for range cap(ends) {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
	if err := (Medium{Drivers: socket}).Settle(t.Context()); err != nil {
		t.Errorf("asked again: %v", err)
	}
}

func TestSettleCancelled(t *testing.T) {
	c := newCarriedDrivers()
	socket := filepath.Join(t.TempDir(), "drivers")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go c.answer(l)
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-c.ask
		cancel(io.ErrUnexpectedEOF)
	}()
	if err := (Medium{Drivers: socket}).Settle(ctx); err != io.ErrUnexpectedEOF {
		t.Errorf("Settle = %v, want the cause of its end", err)
	}
	if err := (Medium{Drivers: socket + "x"}).Settle(t.Context()); err == nil {
		t.Error("nobody listens, and Settle says nothing")
	}
	if err := (Medium{}).Settle(t.Context()); err != nil {
		t.Errorf("without stage 1: %v", err)
	}
}
