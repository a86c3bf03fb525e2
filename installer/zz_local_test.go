//go:build local

package installer

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"reprise/installer/answers"
	"reprise/installer/plan"
	"reprise/internal/progress"
	"reprise/store"
)

func TestLocal(t *testing.T) {
	data, err := os.ReadFile("/tmp/med-work/rig.iso.d/reprise/medium.json")
	if err != nil {
		t.Fatal(err)
	}
	m, err := plan.ParseMedium(data)
	if err != nil {
		t.Fatal(err)
	}
	img := os.Getenv("INST_IMG")
	os.Remove(img)
	f, _ := os.Create(img)
	f.Truncate(6 << 30)
	f.Close()
	out, err := exec.Command("losetup", "-fP", "--show", img).Output()
	if err != nil {
		t.Fatal(err)
	}
	loop := strings.TrimSpace(string(out))
	t.Log(loop)
	defer exec.Command("losetup", "-d", loop).Run()
	a := answers.Default()
	a.Profile, a.Host = "live-rig", "rig-one"
	a.FileSystem = os.Getenv("INST_FS")
	a.Disk, a.Erase = answers.List{loop}, answers.List{loop}
	disk := plan.Disk{Path: loop, SizeBytes: 6 << 30, SectorBytes: 512}
	p, err := plan.Make(plan.Request{Answers: a, Machine: plan.Machine{MemoryBytes: 8 << 30, Now: time.Now()}, Disks: []plan.Disk{disk}, Medium: m, KernelBytes: 13 << 20, InitrdBytes: 20 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + p.Text(80))
	tools, err := OpenTools("/tmp/inst-med", m.Tools.Path, "/tmp/inst-tools")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tools.Close(); err != nil {
			t.Error(err)
		}
	}()
	target := NewLinux(p, "/tmp/inst-target", tools, func(context.Context) ([]plan.Disk, error) { return []plan.Disk{disk}, nil })
	job := &Job{Plan: p, Medium: m, Source: Source{Root: "/tmp/med-work/rig.iso.d", Store: "/tmp/inst-med/nix/store"}, Target: target,
		Sink: progress.Plain(os.Stderr), Report: Lines(os.Stderr), Files: map[string][]byte{ConfigurationFile: []byte("{}\n")}}
	start := time.Now()
	result, err := job.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(result, time.Since(start))
	dir, err := target.Mount(t.Context(), p.Root)
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.Verify(t.Context(), store.VerifyOptions{Contents: true})
	t.Log("verify", found, err)
	s.Close()
	ls, _ := exec.Command("sh", "-c", "cd "+dir+"; ls -la . nix/var/nix/profiles var/lib/reprise/state/etc/reprise; df -h .; sgdisk -v "+loop+"; fsck.fat -nv "+p.Table.ESP.Path).CombinedOutput()
	t.Log(string(ls))
	if err := target.Unmount(t.Context(), p.Root); err != nil {
		t.Fatal(err)
	}
	ls, _ = exec.Command("e2fsck", "-fn", p.Root.Path).CombinedOutput()
	t.Log(string(ls))
}
