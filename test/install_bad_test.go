package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"reprise/internal/vm"
)

// TestInstallBad meets an installation with what goes wrong in real rooms, and
// holds it to a sentence that helps, to disks of others that are as they were,
// and to a way on. Only `make guests` has time for it.
func TestInstallBad(t *testing.T) {
	t.Parallel()
	if os.Getenv(everyGuest) == "" {
		return
	}
	for _, c := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"stick pulled out", stickPulledOut},
		{"stick pulled out before the copy", stickPulledOutBefore},
		{"disk pulled out", diskPulledOut},
		{"disk with bad sectors", badSectors},
		{"disk that takes no file system", badBegins},
		{"disk that takes no partitions", badTable},
		{"https with an unknown certificate", unknownCertificate},
		{"https with a clock in 1970", earlyClock},
		{"clock in 1970, https with a hash", hashVouches},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

// stickPulledOut takes the medium away amid the copy, reads what the machine
// says, puts it back and starts the machine again: the installation goes on.
func stickPulledOut(t *testing.T) {
	m := newBox(t, box{firmware: vm.UEFI, usb: true, bus: vm.Virtio}, nil)
	g := m.install(t)
	m.amidCopy(t, g)
	if err := g.Unplug(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	m.fails(t, g, "copy-store", "the medium was pulled out: put it back")
	if sum(t, m.foreign) != m.before {
		t.Error("the foreign disk was written to")
	}
	if err := g.Plug(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := g.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	moments := m.installed(t, g)
	if !slices.ContainsFunc(moments, func(n moment) bool { return n.line == "step=make-file-systems status=kept" }) {
		t.Error("the second run did not go on where the first one was")
	}
	m.sound(t)
	m.boots(t)
}

// amidCopy waits until a part of the copy is on the disk.
func (m *box) amidCopy(t *testing.T, g *vm.Machine) {
	t.Helper()
	m.steps(t, g, "copy-store status=started")
	const part = 200 << 20 // of a thousand MiB
	for deadline := time.Now().Add(bootLimit); ; time.Sleep(100 * time.Millisecond) {
		if _, written := sizes(t, m.target); written > part {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the copy does not get on")
		}
	}
}

// diskPulledOut takes the USB disk away that is installed to.
func diskPulledOut(t *testing.T) {
	m := newBox(t, box{firmware: vm.BIOS, bus: vm.USB}, nil)
	g := m.install(t)
	m.amidCopy(t, g)
	if err := g.Unplug(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	m.fails(t, g, "copy-store", "the disk fails", "QEMU", targetSerial, "Look at its cable")
	m.spares(t, g)
}

// spares holds that the disk of others is as it was.
func (m *box) spares(t *testing.T, g *vm.Machine) {
	t.Helper()
	g.Kill()
	if sum(t, m.foreign) != m.before {
		t.Error("the foreign disk was written to")
	}
}

// stickPulledOutBefore takes it while the medium is checked: all of it is read
// then, and that it is gone must not look as if it was damaged.
func stickPulledOutBefore(t *testing.T) {
	m := newBox(t, box{firmware: vm.BIOS, usb: true, bus: vm.SATA}, nil)
	g := m.install(t)
	m.steps(t, g, "check-medium status=started")
	if err := g.Unplug(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	m.refused(t, g, "check-medium", "the medium was pulled out: put it back")
}

// steps waits until an installation has come to a step.
func (m *box) steps(t *testing.T, g *vm.Machine, line string) {
	t.Helper()
	if err := g.Expect(installPrefix+"step="+line, installLimit); err != nil {
		t.Fatal(err)
	}
}

// badSectors are all over the root: some data will want to be there.
func badSectors(t *testing.T) {
	m := newBox(t, box{firmware: vm.BIOS, bus: vm.SATA}, nil)
	const from, every, beside = 1 << 30, 16 << 20, 5 << 20
	for at := int64(from + beside); at < targetBytes; at += every {
		m.bad = append(m.bad, at/512)
	}
	g := m.install(t)
	m.fails(t, g, "copy-store", "the disk fails", "/dev/sd", "QEMU HARDDISK", targetSerial, "smartctl")
	m.spares(t, g)
}

// badBegins is a disk on which every MiB of a GiB begins with a bad sector: ext4
// has copies of its superblock there.
func badBegins(t *testing.T) {
	m := newBox(t, box{firmware: vm.BIOS, bus: vm.NVMe}, nil)
	const mib = 1 << 20
	for at := int64(1536 * mib); at < 2560*mib; at += mib {
		m.bad = append(m.bad, at/512)
	}
	g := m.install(t)
	m.fails(t, g, "make-file-systems", "the disk fails", "/dev/nvme0n1", "QEMU NVMe Ctrl", targetSerial, "smartctl")
	m.spares(t, g)
}

// badTable is a disk whose partition table cannot be written.
func badTable(t *testing.T) {
	m := newBox(t, box{firmware: vm.UEFI, bus: vm.NVMe, bad: []int64{1}}, nil)
	g := m.install(t)
	m.fails(t, g, "partition", "the disk fails", "/dev/nvme0n1", "QEMU NVMe Ctrl", targetSerial, "smartctl")
	m.spares(t, g)
}

// fails follows an installation that has to fail at a step, with words about it
// on its last line, and a machine that goes on.
func (m *box) fails(t *testing.T, g *vm.Machine, step string, words ...string) {
	t.Helper()
	moments := m.follow(t, g)
	for _, n := range moments {
		t.Logf("%6.1f s  %s", n.after.Seconds(), n.line)
	}
	last := moments[len(moments)-1].line
	if !strings.HasPrefix(last, "failed step="+step+" reason=") {
		t.Fatalf("it ended with %q, want that %s fails", last, step)
	}
	for _, word := range words {
		if !strings.Contains(last, word) {
			t.Errorf("%q lacks %q", last, word)
		}
	}
	if err := g.Expect("the unattended installation has failed", bootLimit); err != nil {
		t.Error(err)
	}
}

// refused is fails for an installation that has written nothing.
func (m *box) refused(t *testing.T, g *vm.Machine, step string, words ...string) {
	t.Helper()
	m.fails(t, g, step, words...)
	m.spares(t, g)
	if _, written := sizes(t, m.target); written != 0 {
		t.Errorf("%d bytes were written to the disk", written)
	}
}

// in1970 is a machine whose battery is empty.
var in1970 = []string{"-rtc", "base=1970-01-01"}

func unknownCertificate(t *testing.T) {
	m := newBox(t, box{firmware: vm.BIOS, bus: vm.Virtio, answered: withNobody}, nil)
	m.serveTLS(t, time.Now().AddDate(-1, 0, 0), false)
	m.refused(t, m.install(t), "answers", "unknown authority", "give the server a certificate of a known authority, or write reprise.answers.sha256=")
}

// earlyClock has the clock of a medium that is older than the certificate.
func earlyClock(t *testing.T) {
	m := newBox(t, box{firmware: vm.BIOS, bus: vm.Virtio, answered: withNobody, args: in1970}, nil)
	m.serveTLS(t, time.Now().AddDate(0, 0, 1), false)
	g := m.install(t)
	if err := g.Expect("the clock showed 1970-01-01; it is set to ", bootLimit); err != nil {
		t.Fatal(err)
	}
	m.refused(t, g, "answers", "not yet valid", "set the clock, which shows 2")
}

// hashVouches for answers, whatever the certificate and the clock are.
func hashVouches(t *testing.T) {
	m := newBox(t, box{firmware: vm.BIOS, bus: vm.SATA, answered: withNobody, args: in1970}, nil)
	m.serveTLS(t, time.Now().AddDate(0, 0, 1), true)
	m.installed(t, m.install(t))
	m.sound(t)
	m.args = nil
	m.boots(t, rigCheck{"what was installed is not of 1970", "stat -c %Y /etc/reprise/configuration.jsonnet", "a time of this century",
		func(got string) bool { return len(got) == 10 && got > "1600000000" }})
}

// serveTLS answers who asks for the machine's answers over https, with a
// certificate that nobody has signed and that begins at a moment.
func (m *box) serveTLS(t *testing.T, begins time.Time, hashed bool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	host := net.IPv4(10, 0, 2, 2)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "answers"}, IPAddresses: []net.IP{host},
		NotBefore: begins, NotAfter: begins.AddDate(10, 0, 0), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	text := m.text(t)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(text) }))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	m.line = fmt.Sprintf("reprise.answers=https://%s:%s/rigs.json", host, port)
	if hashed {
		m.line += fmt.Sprintf(" reprise.answers.sha256=%x", sha256.Sum256(text))
	}
}
