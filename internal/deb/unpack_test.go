package deb

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/therootcompany/xz"

	"reprise/internal/layer"
)

// goodTree is a data archive with everything that may be in one.
func goodTree(t testing.TB) []byte {
	su := file("./usr/bin/su", "setuid")
	su.Mode, su.Gid = 0o4755, 42
	ping := file("./usr/bin/ping", "ping")
	ping.Mode, ping.Format = 0o755, tar.FormatPAX
	ping.PAXRecords = map[string]string{"SCHILY.xattr.security.capability": "\x01\x00\x00\x02"}
	tmp := dir("./var/tmp/")
	tmp.Mode = 0o1777
	long := strings.Repeat("long-name/", 20) + "end"
	big := file("./usr/lib/big", strings.Repeat("0123456789abcdef", 3<<16)) // larger than maxHeld
	return tarFile(t,
		dir("./"), dir("./usr/"), dir("./usr/bin/"), su, ping,
		dir("./usr/lib/"), big, file("./usr/lib/empty", ""),
		symlink("./usr/bin/sh", "dash"), symlink("./usr/absolute", "/etc/../nowhere"),
		symlink("./lib", "usr/lib"), file("./lib/through-link", "x"),
		hardLink("./usr/bin/su2", "./usr/bin/su"), hardLink("./usr/bin/su3", "./usr/bin/su2"),
		dir("./usr/"), dir("./var/"), tmp, file("./a b%c\n", "odd"), file(long, "far"))
}

func goodManifest() layer.Manifest {
	m := layer.Manifest{
		{Path: "a b%c\n", Kind: layer.File, Mode: 0o644, Size: 3},
		{Path: "lib", Kind: layer.Symlink, Mode: 0o777, Target: "usr/lib"},
		{Path: strings.Repeat("long-name/", 20) + "end", Kind: layer.File, Mode: 0o644, Size: 3},
		{Path: "usr", Kind: layer.Dir, Mode: 0o755},
		{Path: "usr/absolute", Kind: layer.Symlink, Mode: 0o777, Target: "/etc/../nowhere"},
		{Path: "usr/bin", Kind: layer.Dir, Mode: 0o755},
		{Path: "usr/bin/ping", Kind: layer.File, Mode: 0o755, Size: 4, Xattrs: map[string]string{"security.capability": "\x01\x00\x00\x02"}},
		{Path: "usr/bin/sh", Kind: layer.Symlink, Mode: 0o777, Target: "dash"},
		{Path: "usr/bin/su", Kind: layer.File, Mode: 0o4755, GID: 42, Size: 6},
		{Path: "usr/bin/su2", Kind: layer.Hard, Mode: 0o4755, GID: 42, Size: 6, Target: "usr/bin/su"},
		{Path: "usr/bin/su3", Kind: layer.Hard, Mode: 0o4755, GID: 42, Size: 6, Target: "usr/bin/su"},
		{Path: "usr/lib", Kind: layer.Dir, Mode: 0o755},
		{Path: "usr/lib/big", Kind: layer.File, Mode: 0o644, Size: 3 << 20},
		{Path: "usr/lib/empty", Kind: layer.File, Mode: 0o644},
		{Path: "usr/lib/through-link", Kind: layer.File, Mode: 0o644, Size: 1},
		{Path: "var", Kind: layer.Dir, Mode: 0o755},
		{Path: "var/tmp", Kind: layer.Dir, Mode: 0o1777},
	}
	for i := range 20 {
		m = append(m, layer.Entry{Path: strings.Repeat("long-name/", i) + "long-name", Kind: layer.Dir, Mode: 0o755})
	}
	m.Sort()
	return m
}

func TestUnpack(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	for _, form := range []string{"", "gz", "xz", "zst", "pipe"} {
		t.Run("data.tar."+form, func(t *testing.T) {
			var opt UnpackOptions
			if form == "pipe" {
				form = "xz"
				opt.XZ = func(r io.Reader) (io.ReadCloser, error) {
					z, err := xz.NewReader(r, 0)
					return io.NopCloser(z), err
				}
			}
			deb := sampleDeb(t, form, goodTree(t))
			dst := filepath.Join(t.TempDir(), "out")
			t.Cleanup(func() { makeWritable(dst) })
			got, err := Unpack(t.Context(), bytes.NewReader(deb), int64(len(deb)), dst, opt)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(goodManifest(), got); diff != "" {
				t.Errorf("manifest (-want +got):\n%s", diff)
			}
			checkTree(t, dst, got)
			for name, want := range map[string]string{"control": controlText, "postinst": "#!/bin/sh\n", "md5sums": ""} {
				if text, err := os.ReadFile(filepath.Join(dst, "DEBIAN", name)); err != nil || string(text) != want {
					t.Errorf("DEBIAN/%s = %q, %v", name, text, err)
				}
			}
			if info, err := os.Stat(filepath.Join(dst, "DEBIAN/postinst")); err != nil || info.Mode() != 0o555 {
				t.Errorf("DEBIAN/postinst: %v, %v", info.Mode(), err)
			}
		})
	}
}

// checkTree compares what is on disk with the manifest, and looks whether it
// is canonical.
func checkTree(t *testing.T, dst string, m layer.Manifest) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dst, layer.ManifestPath))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := layer.Parse(text)
	if diff := cmp.Diff(m, stored, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("stored manifest, %v (-returned +stored):\n%s", err, diff)
	}
	known := map[string]layer.Entry{}
	for _, e := range m {
		known[e.Path] = e
	}
	err = filepath.WalkDir(dst, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.ModTime().UnixNano() != 1e9 {
			t.Errorf("%s: time %v", p, info.ModTime())
		}
		rel, _ := filepath.Rel(dst, p)
		e, ok := known[rel]
		delete(known, rel)
		if !ok && rel != "." && rel != layer.Meta && !strings.HasPrefix(rel, layer.Meta+"/") {
			t.Errorf("%s is not in the manifest", rel)
		}
		switch {
		case info.IsDir():
			if info.Mode() != fs.ModeDir|0o555 || ok && e.Kind != layer.Dir {
				t.Errorf("%s: mode %v, entry %v", rel, info.Mode(), e)
			}
		case info.Mode()&fs.ModeSymlink != 0:
			if to, _ := os.Readlink(p); to != e.Target || e.Kind != layer.Symlink {
				t.Errorf("%s: link to %q, entry %v", rel, to, e)
			}
		default:
			want := fs.FileMode(0o444)
			if e.Mode&0o100 != 0 || rel == "DEBIAN/postinst" {
				want = 0o555
			}
			if info.Mode() != want || ok && info.Size() != e.Size {
				t.Errorf("%s: mode %v, size %d, entry %v", rel, info.Mode(), info.Size(), e)
			}
			if e.Kind == layer.Hard {
				other, err := os.Stat(filepath.Join(dst, e.Target))
				if err != nil || !os.SameFile(info, other) {
					t.Errorf("%s is not the same file as %s", rel, e.Target)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for name := range known {
		t.Errorf("%s is not on disk", name)
	}
}

func makeWritable(dir string) {
	filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			os.Chmod(p, 0o700)
		}
		return nil
	})
}

// refuse unpacks and wants an error with the given words, and nothing left.
func refuse(t *testing.T, deb []byte, lim Limits, words ...string) {
	t.Helper()
	parent := t.TempDir()
	dst := filepath.Join(parent, "out")
	m, err := Unpack(context.Background(), bytes.NewReader(deb), int64(len(deb)), dst, UnpackOptions{Limits: lim})
	if err == nil {
		makeWritable(dst)
		t.Fatalf("unpacked, manifest %v", m)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
	if left, _ := os.ReadDir(parent); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestUnpackRefusesEntries(t *testing.T) {
	special := func(name string, kind byte) entry {
		return entry{tar.Header{Name: name, Typeflag: kind}, ""}
	}
	owner := file("./x", "")
	owner.Uid, owner.Format = -2, tar.FormatGNU
	sparse := file("./x", "")
	sparse.Format, sparse.PAXRecords = tar.FormatPAX, map[string]string{"SCHILY.xattr.": "x"}
	for name, test := range map[string]struct {
		entries []entry
		want    string
	}{
		"dot dot":               {[]entry{file("./../x", "")}, `".."`},
		"dot dot inside":        {[]entry{file("./a/../../x", "")}, `".."`},
		"only dot dot":          {[]entry{dir("..")}, `".."`},
		"absolute":              {[]entry{file("/etc/passwd", "")}, "absolute"},
		"absolute directory":    {[]entry{dir("/")}, "absolute"},
		"double slash":          {[]entry{file("./a//b", "")}, "clean"},
		"dot inside":            {[]entry{file("./a/./b", "")}, "clean"},
		"root as file":          {[]entry{symlink(".", "/etc")}, "root"},
		"control directory":     {[]entry{file("./DEBIAN/manifest", "")}, "DEBIAN"},
		"control dir by link":   {[]entry{symlink("./l", "DEBIAN"), file("./l/x", "")}, "leads out"},
		"long name":             {[]entry{file(strings.Repeat("x", 256), "")}, "255"},
		"long path":             {[]entry{file(strings.Repeat("x/", 2100)+"x", "")}, "4,095"},
		"character device":      {[]entry{special("./null", tar.TypeChar)}, "device"},
		"block device":          {[]entry{special("./sda", tar.TypeBlock)}, "device"},
		"fifo":                  {[]entry{special("./pipe", tar.TypeFifo)}, "pipe"},
		"file twice":            {[]entry{file("./x", "1"), file("./x", "2")}, "twice"},
		"directory then file":   {[]entry{dir("./x/"), file("./x", "2")}, "twice"},
		"file then directory":   {[]entry{file("./x", "2"), dir("./x/")}, "twice"},
		"other directory":       {[]entry{dir("./x/"), {tar.Header{Name: "./x/", Typeflag: tar.TypeDir, Mode: 0o700}, ""}}, "twice"},
		"link over file":        {[]entry{file("./x", "2"), symlink("./x", "/etc")}, "twice"},
		"file over link":        {[]entry{symlink("./x", "/etc/passwd"), file("./x", "root")}, "twice"},
		"below a file":          {[]entry{file("./x", "2"), file("./x/y", "2")}, "no directory"},
		"escape by link":        {[]entry{symlink("./x", "/etc"), file("./x/passwd", "root")}, "no directory of the package"},
		"escape upwards":        {[]entry{symlink("./x", "../.."), file("./x/y", "root")}, "leads out"},
		"escape in two steps":   {[]entry{symlink("./a", "."), symlink("./b", "../a"), file("./b/y", "")}, "leads out"},
		"link to the root":      {[]entry{symlink("./x", "/"), file("./x/y", "")}, "leads out"},
		"link in a circle":      {[]entry{symlink("./x", "y"), symlink("./y", "x"), file("./x/z", "")}, "too many"},
		"link to a file":        {[]entry{file("./f", ""), symlink("./x", "f"), file("./x/z", "")}, "no directory of the package"},
		"empty link":            {[]entry{symlink("./x", "")}, "symlink to"},
		"hard link out":         {[]entry{hardLink("./x", "/etc/passwd")}, "absolute"},
		"hard link upwards":     {[]entry{hardLink("./x", "../passwd")}, `".."`},
		"hard link to nothing":  {[]entry{hardLink("./x", "./y")}, "did not come"},
		"hard link to a dir":    {[]entry{dir("./y"), hardLink("./x", "./y")}, "no file"},
		"hard link to a link":   {[]entry{symlink("./y", "/etc/passwd"), hardLink("./x", "./y")}, "no file"},
		"hard link to the root": {[]entry{hardLink("./x", "./")}, "hard link"},
		"negative owner":        {[]entry{owner}, "owner"},
	} {
		t.Run(name, func(t *testing.T) {
			entries := append([]entry{file("./first", "written before")}, test.entries...)
			refuse(t, sampleDeb(t, "gz", tarFile(t, entries...)), Limits{}, "sample", test.want)
		})
	}
}

func TestUnpackRefusesForms(t *testing.T) {
	data := tarFile(t, file("./x", strings.Repeat("content ", 4000)))
	long := append(bytes.Clone(data), bytes.Repeat([]byte{0}, 64<<10)...)
	control := func(entries ...entry) []byte {
		return arFile(debianBinary, arMember("control.tar", tarFile(t, entries...)), arMember("data.tar", data))
	}
	whole := sampleDeb(t, "", data)
	overlong := bytes.Clone(whole)
	at := bytes.Index(overlong, []byte("data.tar")) + 48
	copy(overlong[at:], "99999999  ")
	xzDeb := sampleDeb(t, "xz", bytes.Repeat([]byte("some more bytes "), 300000))
	damaged := bytes.Clone(sampleDeb(t, "xz", tarFile(t, file("./x", strings.Repeat("0123456789", 500000)))))
	damaged[len(damaged)/2] ^= 0x40
	for name, test := range map[string]struct {
		deb  []byte
		want string
	}{
		"empty":                  {nil, "ar archive"},
		"no ar":                  {[]byte("PK\x03\x04 and more"), "ar archive"},
		"only magic":             {arFile(), "debian-binary"},
		"no data":                {arFile(debianBinary, controlMember(t)), "want the members"},
		"wrong order":            {arFile(debianBinary, arMember("data.tar", data), controlMember(t)), `"data.tar"`},
		"version 3":              {arFile(arMember("debian-binary", []byte("3.0\n")), controlMember(t), arMember("data.tar", data)), "3.0"},
		"member twice":           {arFile(debianBinary, controlMember(t), arMember("data.tar", data), arMember("data.tar", data)), "twice"},
		"two data members":       {arFile(debianBinary, controlMember(t), arMember("data.tar", data), arMember("data.tar.gz", data)), "unexpected"},
		"unknown member":         {arFile(debianBinary, controlMember(t), arMember("data.tar", data), arMember("extra", nil)), "unexpected"},
		"many members":           {arFile(bytes.Repeat(debianBinary, 20)), "twice"},
		"unknown compression":    {arFile(debianBinary, controlMember(t), arMember("data.tar.bz2", data)), "compression"},
		"larger than it says":    {overlong, "99999999 bytes, but only"},
		"size no number":         {bytes.Replace(whole, []byte("`\n2.0"), []byte("`\n2.0"), 1)[:30], "EOF"},
		"trailing garbage":       {append(bytes.Clone(whole), "garbage behind the last member of it all, long enough for a header"...), "no member header"},
		"short trailing garbage": {append(bytes.Clone(whole), "xx"...), "member header"},
		"cut":                    {whole[:len(whole)-700], "but only"},
		"cut in a header":        {whole[:100], "EOF"},
		"no tar end":             {sampleDeb(t, "", data[:len(data)-1024]), "end"},
		"half a tar end":         {sampleDeb(t, "", data[:len(data)-512]), "end"},
		"cut in an entry":        {sampleDeb(t, "", data[:5000]), "EOF"},
		"cut gzip":               {sampleDeb(t, "", nil), "end"},
		"bytes after the tar":    {sampleDeb(t, "gz", append(long, 'x')), "after the end"},
		"no control file":        {control(file("./postinst", "")), "no control file"},
		"control twice":          {control(file("./control", controlText), file("control", controlText)), "twice"},
		"control in a directory": {control(file("./control", controlText), file("./a/b", "")), "entry name"},
		"control upwards":        {control(file("./control", controlText), file("./../b", "")), "entry name"},
		"control is a link":      {control(symlink("./control", "/etc/passwd")), "regular"},
		"a manifest of its own":  {control(file("./control", controlText), file("./manifest", "x")), "entry name"},
		"bad control":            {control(file("./control", "Package: x\n")), "control file"},
		"two control stanzas":    {control(file("./control", controlText+"\n"+controlText)), "more than one"},
		"damaged xz":             {damaged, "xz"},
		"no tar in xz":           {xzDeb, "tar"},
		"not xz":                 {arFile(debianBinary, controlMember(t), arMember("data.tar.xz", data)), "xz"},
		"not gzip":               {arFile(debianBinary, controlMember(t), arMember("data.tar.gz", data)), "gzip"},
		"not zstd":               {arFile(debianBinary, controlMember(t), arMember("data.tar.zst", data)), "magic"},
		"after xz":               {arFile(debianBinary, controlMember(t), arMember("data.tar.xz", append(compress(t, "xz", data, 0), "garbage!"...))), "xz"},
		"after gzip":             {arFile(debianBinary, controlMember(t), arMember("data.tar.gz", append(compress(t, "gz", data, 0), "garbage!"...))), "decode gz"},
		"after zstd":             {arFile(debianBinary, controlMember(t), arMember("data.tar.zst", append(compress(t, "zst", data, 0), "garbage!"...))), "magic"},
	} {
		t.Run(name, func(t *testing.T) { refuse(t, test.deb, Limits{}, test.want) })
	}
	for _, form := range []string{"gz", "xz", "zst"} {
		packed := compress(t, form, data, 8<<10)
		for _, cut := range []int{1, 5, 13, len(packed) / 2, len(packed) - 3} {
			deb := arFile(debianBinary, controlMember(t), arMember("data.tar."+form, packed[:len(packed)-cut]))
			refuse(t, deb, Limits{})
		}
	}
}

func TestUnpackBounds(t *testing.T) {
	zeros := strings.Repeat("\x00", 8<<20)
	for _, form := range []string{"", "gz", "xz", "zst"} {
		t.Run("bomb."+form, func(t *testing.T) {
			// Installed-Size is 1 KiB, so the floor counts.
			refuse(t, sampleDeb(t, form, tarFile(t, file("./bomb", zeros))), Limits{Floor: 1 << 20}, "too large", "1048576")
			// No entry admits to the bytes: they come after the end.
			plain := append(tarFile(t, file("./x", "x")), zeros...)
			refuse(t, sampleDeb(t, form, plain), Limits{Floor: 1 << 20}, "too large")
		})
	}
	big := sampleDeb(t, "gz", tarFile(t, file("./bomb", zeros)))
	refuse(t, big, Limits{Bytes: 1 << 20, Floor: 64 << 20}, "too large")
	many := sampleDeb(t, "gz", tarFile(t, file("./a", ""), file("./b", ""), file("./c", "")))
	refuse(t, many, Limits{Entries: 2}, "more than 2 entries")
	control := arFile(debianBinary, arMember("control.tar.gz", compress(t, "gz", tarFile(t, file("./control", controlText), file("./md5sums", zeros)), 0)), arMember("data.tar", tarFile(t)))
	refuse(t, control, Limits{Control: 1 << 20}, "too large")

	// An honest package may be as large as it says.
	lim := Limits{}.orDefaults()
	if got := lim.data(1 << 20); got != 3<<30 {
		t.Errorf("1 GiB installed may unpack to %d bytes", got)
	}
	if got := lim.data(1 << 60); got != lim.Bytes {
		t.Errorf("a package that says it is endless may unpack to %d bytes", got)
	}
}

func TestUnpackDestination(t *testing.T) {
	deb := sampleDeb(t, "gz", goodTree(t))
	bad := sampleDeb(t, "gz", tarFile(t, dir("./d"), file("./d/x", "x"), file("/x", "")))
	r := func(b []byte) (io.ReaderAt, int64) { return bytes.NewReader(b), int64(len(b)) }
	unpack := func(b []byte, dst string) error {
		in, size := r(b)
		_, err := Unpack(t.Context(), in, size, dst, UnpackOptions{})
		return err
	}
	parent := t.TempDir()
	t.Cleanup(func() { makeWritable(parent) })

	full := filepath.Join(parent, "full")
	if err := os.MkdirAll(filepath.Join(full, "kept"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unpack(deb, full); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("into a full directory: %v", err)
	}
	if _, err := os.Stat(filepath.Join(full, "kept")); err != nil {
		t.Error(err)
	}

	empty := filepath.Join(parent, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unpack(bad, empty); err == nil {
		t.Error("a bad package is unpacked")
	}
	if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
		t.Errorf("the empty directory holds %v, %v", left, err)
	}
	if err := unpack(deb, empty); err != nil {
		t.Error(err)
	}
	if err := unpack(deb, filepath.Join(parent, "no", "such")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into nowhere: %v", err)
	}
}

// cancelAfter is a ReaderAt that cancels once it was asked for some bytes.
type cancelAfter struct {
	io.ReaderAt
	cancel context.CancelFunc
	at     int64
}

func (c *cancelAfter) ReadAt(p []byte, off int64) (int, error) {
	if off >= c.at {
		c.cancel()
	}
	return c.ReaderAt.ReadAt(p, off)
}

func TestUnpackCancelled(t *testing.T) {
	for _, form := range []string{"", "gz", "xz", "zst"} {
		deb := sampleDeb(t, form, goodTree(t))
		for at := int64(1000); at < int64(len(deb)); at += int64(len(deb)) / 4 {
			ctx, cancel := context.WithCancel(context.Background())
			parent := t.TempDir()
			dst := filepath.Join(parent, "out")
			_, err := Unpack(ctx, &cancelAfter{bytes.NewReader(deb), cancel, at}, int64(len(deb)), dst, UnpackOptions{})
			left, _ := os.ReadDir(parent)
			switch {
			case err == nil: // it was done before it noticed
				m, err := os.ReadFile(filepath.Join(dst, layer.ManifestPath))
				parsed, err2 := layer.Parse(m)
				if diff := cmp.Diff(goodManifest(), parsed); err != nil || err2 != nil || diff != "" {
					t.Errorf("%q at %d: %v, %v, %s", form, at, err, err2, diff)
				}
				checkTree(t, dst, parsed)
				makeWritable(dst)
			case !errors.Is(err, context.Canceled) || len(left) > 0:
				t.Errorf("%q at %d: %v, left %v", form, at, err, left)
			}
			cancel()
		}
	}
}

// A pipe to a program that fails at the end must fail the unpacking, even
// when all bytes came.
func TestUnpackDecoderFails(t *testing.T) {
	deb := sampleDeb(t, "xz", goodTree(t))
	boom := errors.New("xz: exit status 1")
	parent := t.TempDir()
	_, err := Unpack(t.Context(), bytes.NewReader(deb), int64(len(deb)), filepath.Join(parent, "out"), UnpackOptions{
		XZ: func(r io.Reader) (io.ReadCloser, error) {
			z, err := xz.NewReader(r, 0)
			return failingClose{z, boom}, err
		},
	})
	if left, _ := os.ReadDir(parent); !errors.Is(err, boom) || len(left) > 0 {
		t.Errorf("error %v, left %v", err, left)
	}
}

type failingClose struct {
	io.Reader
	err error
}

func (f failingClose) Close() error { return f.err }

func FuzzUnpack(f *testing.F) {
	f.Add(sampleDeb(f, "", tarFile(f, dir("./usr"), file("./usr/x", "content"), symlink("./l", "usr"), hardLink("./h", "usr/x"), file("./l/y", "z"))))
	f.Add(sampleDeb(f, "xz", tarFile(f, file("./x", "content"))))
	f.Add(sampleDeb(f, "zst", tarFile(f, file("./x", "content"))))
	f.Fuzz(func(t *testing.T, deb []byte) {
		parent := t.TempDir()
		dst := filepath.Join(parent, "a", "b", "out")
		if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
			t.Fatal(err)
		}
		m, err := Unpack(context.Background(), bytes.NewReader(deb), int64(len(deb)), dst,
			UnpackOptions{Limits: Limits{Control: 1 << 20, Floor: 1 << 20, Bytes: 1 << 20, Entries: 100}})
		if err != nil {
			if _, err := os.Lstat(dst); err == nil {
				t.Error("something is left behind")
			}
		} else {
			checkTree(t, dst, m)
		}
		makeWritable(dst)
		above, _ := os.ReadDir(parent)
		beside, _ := os.ReadDir(filepath.Dir(dst))
		if len(above) != 1 || len(beside) > 1 {
			t.Errorf("written outside: %v, %v", above, beside)
		}
	})
}

// FuzzUnpackEntries makes archives of any entries: a line each of kind, name
// and link target.
func FuzzUnpackEntries(f *testing.F) {
	f.Add("d ./a\nf ./a/b\nl ./c a\nf ./c/d\nh ./e ./c/d\n")
	f.Add("l ./a ..\nl ./b a/x\nf ./b/y\nd ./a/../c\n")
	f.Fuzz(func(t *testing.T, lines string) {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for line := range strings.Lines(lines) {
			fields := append(strings.Fields(line), "", "", "")
			h := &tar.Header{Name: fields[1], Linkname: fields[2], Mode: 0o755, Typeflag: map[string]byte{
				"d": tar.TypeDir, "f": tar.TypeReg, "l": tar.TypeSymlink, "h": tar.TypeLink}[fields[0]]}
			if h.Typeflag == 0 || w.WriteHeader(h) != nil {
				return
			}
		}
		w.Close()
		parent := t.TempDir()
		dst := filepath.Join(parent, "a", "b", "out")
		if err := os.MkdirAll(filepath.Dir(dst), 0o755); err != nil {
			t.Fatal(err)
		}
		deb := arFile(debianBinary, arMember("control.tar", tarFile(t, file("control", controlText))), arMember("data.tar", b.Bytes()))
		m, err := Unpack(context.Background(), bytes.NewReader(deb), int64(len(deb)), dst, UnpackOptions{})
		if err == nil {
			checkTree(t, dst, m)
			makeWritable(dst)
		} else if _, err := os.Lstat(dst); err == nil {
			t.Error("something is left behind")
		}
		above, _ := os.ReadDir(parent)
		beside, _ := os.ReadDir(filepath.Dir(dst))
		if len(above) != 1 || len(beside) > 1 {
			t.Errorf("written outside: %v, %v", above, beside)
		}
	})
}

func FuzzReadMembers(f *testing.F) {
	f.Add(arFile(debianBinary, arMember("control.tar", []byte("x")), arMember("data.tar/", nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		members, err := readMembers(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		end := int64(len(arMagic))
		for _, m := range members {
			if m.offset < end+arHeader || m.size < 0 || m.offset+m.size > int64(len(b)) {
				t.Errorf("member %+v of %d bytes", m, len(b))
			}
			end = m.offset + m.size
		}
	})
}
