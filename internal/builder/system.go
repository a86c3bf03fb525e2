package builder

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"io/fs"

	"reprise/initrd/build"
	"reprise/internal/builder/spec"
	"reprise/internal/effect"
	"reprise/internal/layer"
	"reprise/internal/systemdiff"
	"reprise/store/tree"
)

// buildInitrd writes out/initrd.
func buildInitrd(ctx context.Context, s spec.Initrd, out string) error {
	if err := os.Mkdir(out, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(out, "initrd"))
	if err != nil {
		return err
	}
	defer f.Close()
	var extra []build.File
	if s.Keymap != "" {
		data, err := os.ReadFile(filepath.Join(string(s.Keymap), effect.KeymapFile))
		if err != nil {
			return err
		}
		extra = append(extra, build.File{Name: "etc/reprise/keymap", Mode: 0o644, Data: data})
	}
	var microcode []fs.FS
	for _, p := range s.Microcode {
		microcode = append(microcode, os.DirFS(string(p)))
	}
	err = build.Write(ctx, f, build.Spec{
		Binary:    string(s.Program),
		Trees:     []fs.FS{os.DirFS(string(s.Kernel)), os.DirFS(string(s.Index))},
		Kernel:    s.Version,
		Want:      s.Want,
		Load:      s.Load,
		Medium:    s.Medium,
		Extra:     extra,
		Microcode: microcode,
	})
	if err != nil {
		return err
	}
	return f.Close()
}

// buildProgram writes the layer that brings /usr/bin/reprise.
func buildProgram(_ context.Context, s spec.Program, out string) error {
	const binary = "usr/bin/reprise"
	if err := os.MkdirAll(filepath.Join(out, "usr/bin"), 0o755); err != nil {
		return err
	}
	if err := tree.CopyFile(string(s.File), filepath.Join(out, binary), 0o555); err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(out, binary))
	if err != nil {
		return err
	}
	// The second name is setuid: it becomes passwd, chage or chpasswd and
	// nothing else, see internal/passwdtool.
	manifest, err := layer.Manifest{
		{Path: "usr", Kind: layer.Dir, Mode: 0o755},
		{Path: "usr/bin", Kind: layer.Dir, Mode: 0o755},
		{Path: binary, Kind: layer.File, Mode: 0o755, Size: info.Size()},
		{Path: "usr/lib", Kind: layer.Dir, Mode: 0o755},
		{Path: "usr/lib/reprise", Kind: layer.Dir, Mode: 0o755},
		{Path: "usr/lib/reprise/state-tool", Kind: layer.Hard, Mode: 0o4755, Size: info.Size(), Target: binary},
	}.Bytes()
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(out, layer.Meta), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, layer.ManifestPath), manifest, 0o444)
}

// Boot is boot.json: what a boot entry is made from.
type Boot struct {
	Version       int      `json:"version"` // of this format
	Host          string   `json:"host"`
	KernelVersion string   `json:"kernelVersion"`
	Params        []string `json:"params"` // without root= and reprise.system=
}

// BootVersion is the version of boot.json.
const BootVersion = 1

// buildSystem writes the system path:
//
//	root.erofs       the view, names and owners and modes
//	kernel, initrd   what the boot loader loads, as links
//	activation.json  the state that stage 1 makes on the disk
//	boot.json        host, kernel version and kernel parameters
//	closure          every store path that the view shows, one a line
//	about.json       options and where they were set, see systemdiff.About
func buildSystem(_ context.Context, s spec.System, out string) error {
	if err := os.Mkdir(out, 0o755); err != nil {
		return err
	}
	for name, target := range map[string]string{
		"kernel": filepath.Join(string(s.Kernel), "boot", "vmlinuz-"+s.Version),
		"initrd": filepath.Join(string(s.Initrd), "initrd"),
	} {
		if _, err := os.Stat(target); err != nil {
			return err
		}
		if err := os.Symlink(target, filepath.Join(out, name)); err != nil {
			return err
		}
	}
	// Stage 1 reads these two before any symlink into the store could work.
	for name, source := range map[string]string{
		"root.erofs":      filepath.Join(string(s.Root), "root.erofs"),
		"activation.json": filepath.Join(string(s.Activation), "usr/lib/reprise/activation.json"),
	} {
		if err := tree.CopyFile(source, filepath.Join(out, name), 0o444); err != nil {
			return err
		}
	}
	boot, err := json.MarshalIndent(Boot{BootVersion, s.Host, s.Version, s.Params}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, "boot.json"), append(boot, '\n'), 0o444); err != nil {
		return err
	}
	if s.About == nil {
		return errors.New("the specification has no about")
	}
	about, err := s.About.Encode()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(out, systemdiff.AboutFile), about, 0o444); err != nil {
		return err
	}
	lines := make([]string, len(s.Layers))
	for i, p := range s.Layers {
		lines[i] = string(p)
	}
	slices.Sort(lines)
	return os.WriteFile(filepath.Join(out, "closure"), []byte(strings.Join(lines, "\n")+"\n"), 0o444)
}
