package iso9660

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"reprise/image/layout"
)

// content is size bytes that no other seed gives.
func content(seed uint64, size int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, 0, size+8)
	for len(b) < size {
		b = binary.LittleEndian.AppendUint64(b, r.Uint64())
	}
	return b[:size]
}

func blob(path string, seed uint64, size int) File {
	return Text(path, string(content(seed, size)))
}

func source(b []byte) Source {
	return Source{Size: int64(len(b)), Write: func(_ context.Context, w io.Writer) error {
		_, err := w.Write(b)
		return err
	}}
}

// sample has a bit of everything.
func sample() Image {
	long := strings.Repeat("long-name-", 25)
	return Image{
		Label: "REPRISE", Seed: layout.SeedOf("sample"), Time: time.Date(2026, 11, 22, 12, 30, 15, 0, time.UTC),
		Files: []File{
			Text(".disk/info", "reprise\n"),
			Text("boot/grub/grub.cfg", "set timeout=10\n"),
			blob("boot/grub/i386-pc/eltorito.img", 1, 30_001),
			blob("boot/kernel", 2, 3<<20),
			{Path: "boot/initrd", Mode: 0o444},
			{Path: "boot", Mode: fs.ModeDir | 0o555},
			{Path: "link", Mode: fs.ModeSymlink | 0o777, Target: "boot/kernel"},
			{Path: "far", Mode: fs.ModeSymlink | 0o777, Target: "/" + strings.Repeat("../"+strings.Repeat("t", 200)+"/./", 4) + "end"},
			Text(long+"1", "one"), Text(long+"2", "two"), Text(long+"222", "three"),
			Text("Same.txt", "upper"), Text("same.txt", "lower"), Text("same_txt", "other"), Text("süß.txt", "sweet"),
			Text(strings.Repeat("deep/", 20)+"file", "deep"),
			blob("reprise/store.squashfs", 3, 5<<20+4096),
			Text("reprise/medium.json", "{}"),
		},
		BIOS: "boot/grub/i386-pc/eltorito.img", MBR: bytes.Repeat([]byte{0x90}, 512), ESP: source(content(4, 2<<20)),
		Sums: "reprise/SHA256SUMS",
	}
}

func write(tb testing.TB, im Image) ([]byte, *Layout) {
	tb.Helper()
	l, err := Plan(im)
	if err != nil {
		tb.Fatal(err)
	}
	var b bytes.Buffer
	if err := l.WriteTo(tb.Context(), &b); err != nil {
		tb.Fatal(err)
	}
	if int64(b.Len()) != l.Size() {
		tb.Fatalf("%d bytes written, the layout says %d", b.Len(), l.Size())
	}
	return b.Bytes(), l
}

// TestGolden fails when any byte of a medium changes: other bytes than before
// must be meant.
func TestGolden(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Image)
		want   string
	}{
		"sample": {func(*Image) {}, "930dc472b7f37d2a00d0e7ffdb537448e7ddc99d440c9cbd3d0989b038f97b15"},
		"no boot": {func(im *Image) {
			im.BIOS, im.MBR, im.ESP, im.Sums, im.Time = "", nil, Source{}, "", time.Time{}
		}, "932393bf923535c6c1684cf03dd5c3bd810c59add39b7c118edea40510e120bd"},
		"UEFI alone": {func(im *Image) { im.BIOS, im.MBR = "", nil }, "47c0e48e6345ce68e98fa37be1b0099ad3ac9a46a7e92ca6a72b777329a02e06"},
	} {
		t.Run(name, func(t *testing.T) {
			im := sample()
			c.change(&im)
			b, l := write(t, im)
			sum := sha256.Sum256(b)
			if got := hex.EncodeToString(sum[:]); got != c.want {
				t.Errorf("the image has SHA-256 %s, want %s", got, c.want)
			}
			if l.Size()%(1<<20) != 0 {
				t.Errorf("%d bytes are no whole number of MiB", l.Size())
			}
		})
	}
}

func TestSameInputsSameBytes(t *testing.T) {
	first, l := write(t, sample())
	second, _ := write(t, sample())
	var again bytes.Buffer
	if err := l.WriteTo(t.Context(), &again); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) || !bytes.Equal(first, again.Bytes()) {
		t.Error("two runs differ")
	}
	im := sample()
	im.Seed = layout.SeedOf("other")
	if other, _ := write(t, im); bytes.Equal(first, other) {
		t.Error("another seed gives the same bytes")
	}
}

// TestReadsWhatItWrote finds every file of the sample again.
func TestReadsWhatItWrote(t *testing.T) {
	im := sample()
	b, l := write(t, im)
	v, err := Open(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if v.Label != "REPRISE" || v.Size != int64(len(b)) {
		t.Errorf("label %q, %d bytes: want REPRISE, %d", v.Label, v.Size, len(b))
	}
	var sums strings.Builder
	paths := l.Paths()
	slices.Sort(paths)
	for _, path := range paths {
		f, err := v.File(path)
		if err != nil {
			t.Error(err)
			continue
		}
		got, err := io.ReadAll(f)
		if err != nil {
			t.Error(err)
		}
		offset, size, _ := l.Extent(path)
		if o, s, _ := v.Lookup(path); o != offset || s != size {
			t.Errorf("%q is read at %d, %d bytes; the layout says %d, %d", path, o, s, offset, size)
		}
		at := slices.IndexFunc(im.Files, func(f File) bool { return f.Path == path })
		if path != im.Sums {
			fmt.Fprintf(&sums, "%x  %s\n", sha256.Sum256(got), path)
		}
		if path == im.Sums || path == im.BIOS {
			continue
		}
		var want bytes.Buffer
		if write := im.Files[at].Write; write != nil {
			write(t.Context(), &want)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%q has other content", path)
		}
		if offset%Sector != 0 || size >= alignFrom && offset%alignFile != 0 {
			t.Errorf("%q begins at %d", path, offset)
		}
	}
	f, err := v.File(im.Sums)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(f)
	if diff := cmp.Diff(sums.String(), string(got)); diff != "" {
		t.Errorf("sums (-want +got):\n%s", diff)
	}
	for path, want := range map[string]error{
		"nothing": fs.ErrNotExist, "boot/nothing": fs.ErrNotExist, "/boot": fs.ErrInvalid, "..": fs.ErrInvalid,
		"boot": nil, "link": nil, "boot/kernel/x": nil, "link/x": nil,
	} {
		if _, _, err := v.Lookup(path); err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("Lookup(%q) = %v, want %v", path, err, want)
		}
	}
}

// TestBootPlaces checks what firmware reads at the places where it looks.
func TestBootPlaces(t *testing.T) {
	im := sample()
	b, l := write(t, im)
	le := binary.LittleEndian
	bios, size, _ := l.Extent(im.BIOS)
	esp, espSize, _ := l.ESP()
	catalogue := b[le.Uint32(b[17*Sector+0x47:])*Sector:][:Sector]
	for what, c := range map[string]struct{ got, want uint64 }{
		"catalogue: BIOS":         {uint64(le.Uint32(catalogue[0x28:])), uint64(bios / Sector)},
		"catalogue: blocks":       {uint64(le.Uint16(catalogue[0x26:])), 4},
		"catalogue: UEFI":         {uint64(le.Uint32(catalogue[0x68:])), uint64(esp / Sector)},
		"catalogue: UEFI blocks":  {uint64(le.Uint16(catalogue[0x66:])), uint64(espSize / 512)},
		"ESP alignment":           {uint64(esp % (1 << 20)), 0},
		"MBR: image":              {le.Uint64(b[0x1b0:]), uint64(bios/512 + 4)},
		"MBR: signature":          {uint64(le.Uint16(b[510:])), 0xaa55},
		"MBR: protective":         {uint64(b[450]), 0xee},
		"MBR: active":             {uint64(b[462]), 0x80},
		"image: block list":       {le.Uint64(b[bios+2548:]), uint64(bios/512 + 5)},
		"image: descriptor":       {uint64(le.Uint32(b[bios+8:])), 16},
		"image: sector":           {uint64(le.Uint32(b[bios+12:])), uint64(bios / Sector)},
		"image: length":           {uint64(le.Uint32(b[bios+16:])), uint64(size)},
		"GPT: second entry":       {le.Uint64(b[2*512+128+32:]), uint64(esp / 512)},
		"GPT: its end":            {le.Uint64(b[2*512+128+40:]), uint64((esp+espSize)/512 - 1)},
		"GPT: place of the other": {le.Uint64(b[512+32:]), uint64(len(b)/512 - 1)},
		"GPT: backup":             {le.Uint64(b[len(b)-512:]), le.Uint64([]byte("EFI PART"))},
	} {
		if c.got != c.want {
			t.Errorf("%s: %#x, want %#x", what, c.got, c.want)
		}
	}
	if !bytes.Equal(b[esp:esp+espSize], content(4, 2<<20)) {
		t.Error("the ESP has other content")
	}
	var sum uint16
	for at := 0; at < 32; at += 2 {
		sum += le.Uint16(catalogue[at:])
	}
	if sum != 0 {
		t.Errorf("the catalogue's sum is %#x", sum)
	}
}

// large is a file that gives zeros.
func large(path string, size int64) File {
	return File{Path: path, Mode: 0o444, Size: size, Write: func(_ context.Context, w io.Writer) error {
		chunk := make([]byte, 1<<20)
		for left := size; left > 0; {
			n, err := w.Write(chunk[:min(left, int64(len(chunk)))])
			if err != nil {
				return err
			}
			left -= int64(n)
		}
		return nil
	}}
}

// countWriter counts what it drops.
type countWriter int64

func (c *countWriter) Write(p []byte) (int, error) { *c += countWriter(len(p)); return len(p), nil }

func TestFilesBeyond4GiB(t *testing.T) {
	im := Image{Label: "LARGE", Files: []File{large("large", 9<<30+5), Text("next", "next")}}
	l, err := Plan(im)
	if err != nil {
		t.Fatal(err)
	}
	v, err := Open(bytes.NewReader(l.head))
	if err != nil {
		t.Fatal(err)
	}
	offset, size, err := v.Lookup("large")
	if err != nil || size != 9<<30+5 {
		t.Fatalf("Lookup = %d, %d, %v", offset, size, err)
	}
	next, _, err := v.Lookup("next")
	if err != nil || next != roundUp(offset+size, Sector) {
		t.Errorf("the next file begins at %d, want %d", next, roundUp(offset+size, Sector))
	}
	var count countWriter
	if err := l.WriteTo(t.Context(), &count); err != nil {
		t.Fatal(err)
	}
	if int64(count) != l.Size() || v.Size != l.Size() {
		t.Errorf("%d bytes written, the descriptor says %d, the layout %d", count, v.Size, l.Size())
	}
}

func TestPlanTellsEveryProblem(t *testing.T) {
	bad := []File{
		Text("a\x00b", ""), Text("/abs", ""), Text("../up", ""), Text("a//b", ""), Text("a/./b", ""), Text("", ""), Text(".", ""), Text("bad\xff", ""),
		Text("twice", "1"), Text("twice", "2"),
		Text("file", ""), Text("file/below", ""), {Path: "file", Mode: fs.ModeDir | 0o755},
		{Path: "dir", Mode: fs.ModeDir | 0o755}, {Path: "dir", Mode: fs.ModeDir | 0o755},
		{Path: "into", Mode: fs.ModeSymlink, Target: "dir"}, Text("into/it", ""),
		{Path: "nowhere", Mode: fs.ModeSymlink}, {Path: "farther", Mode: fs.ModeSymlink, Target: strings.Repeat("x", 1024)},
		{Path: "negative", Size: -1}, {Path: "huge", Size: 1 << 50, Write: writtenByUs}, {Path: "unwritten", Size: 1},
		{Path: "targeted", Target: "x"}, {Path: "device", Mode: fs.ModeDevice}, {Path: "setuid", Mode: fs.ModeSetuid | 0o755},
		Text(strings.Repeat("n", 254), ""), Text(strings.Repeat("d/", 200)+"f", ""),
	}
	im := Image{
		Label: "lower", Time: time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC), Files: bad,
		BIOS: "none.img", MBR: make([]byte, 446), ESP: Source{Size: 1000},
	}
	_, err := Plan(im)
	var p Problems
	if !errors.As(err, &p) {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{
		`label "lower"`, "2200", `"a\x00b": want`, `"/abs"`, `"../up"`, `"a//b"`, `"a/./b"`, `"": want`, `".": want`, `"bad\xff"`,
		`"twice" is there twice`, `"file/below" lies below "file"`, `"file": something else`, `"dir" is there twice`,
		`"into/it" lies below "into"`, `"nowhere": target of 0 bytes`, `"farther": target of 1024`, `"negative": -1 bytes`, `"huge": 1125899906842624`,
		`"unwritten": 1 bytes, and nothing`, `"targeted": a regular file with the target`, `"device": mode D`, `"setuid": mode u`,
		"a name of 254 bytes", "200 directories deep", `boot image for BIOS "none.img": no regular`, "MBR is 446 bytes",
		"partition of 1000 bytes",
	} {
		if !slices.ContainsFunc(p, func(s string) bool { return strings.Contains(s, want) }) {
			t.Errorf("no problem has %q", want)
		}
	}
	for _, s := range p {
		t.Log(s)
	}

	for want, change := range map[string]func(*Image){
		"nothing to load":          func(im *Image) { im.BIOS = "" },
		"is 3 bytes: want 2556":    func(im *Image) { im.Files = append(im.Files, Text("s", "abc")); im.BIOS = "s" },
		"a backslash in a name":    func(im *Image) { im.Files = append(im.Files, Text("a\\b", "")) },
		"both a size and":          func(im *Image) { im.ESP.Write = nil },
		`"link" is there twice`:    func(im *Image) { im.Sums = "link" },
		"boot image for BIOS and":  func(im *Image) { im.Sums = im.BIOS },
		"at most 65535":            func(im *Image) { im.Files = directories(65535) },
		"at most 4294967295 secto": func(im *Image) { im.Files = append(im.Files, hugeFiles(30)...) },
	} {
		im := sample()
		change(&im)
		if _, err := Plan(im); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
}

func directories(n int) (files []File) {
	for i := range n {
		files = append(files, File{Path: fmt.Sprintf("d%d", i), Mode: fs.ModeDir | 0o755})
	}
	return files
}

func hugeFiles(n int) (files []File) {
	for i := range n {
		files = append(files, File{Path: fmt.Sprintf("h%d", i), Size: 400e9, Write: writtenByUs})
	}
	return files
}

func TestWriteToHoldsSourcesToTheirSize(t *testing.T) {
	boom := errors.New("boom")
	gives := func(s string, err error) func(context.Context, io.Writer) error {
		return func(_ context.Context, w io.Writer) error {
			io.WriteString(w, s) // some sources do not look
			return err
		}
	}
	for name, c := range map[string]struct {
		change func(*Image)
		want   string
	}{
		"fewer":          {func(im *Image) { im.Files[1].Write = gives("x", nil) }, `write "boot/grub/grub.cfg": its source gave 1 bytes, 15 were promised`},
		"more":           {func(im *Image) { im.Files[1].Write = gives("more than fifteen", nil) }, "more than the 15 bytes"},
		"none promised":  {func(im *Image) { im.Files[4].Write = gives("x", nil) }, `write "boot/initrd": its source gave more than the 0 bytes`},
		"fails":          {func(im *Image) { im.Files[1].Write = gives("", boom) }, "boom"},
		"boot fewer":     {func(im *Image) { im.Files[2].Write = gives("x", nil) }, "its source gave 1 bytes, 30001"},
		"boot a bit few": {func(im *Image) { im.Files[2].Write = gives(strings.Repeat("x", 29_000), nil) }, "its source gave 29000 bytes, 30001"},
		"boot more":      {func(im *Image) { im.Files[2].Write = gives(strings.Repeat("x", 30_002), nil) }, "30001"},
		"ESP fewer":      {func(im *Image) { im.ESP.Write = gives("x", nil) }, "write EFI system partition: its source gave 1 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			im := sample()
			c.change(&im)
			l, err := Plan(im)
			if err != nil {
				t.Fatal(err)
			}
			if err := l.WriteTo(t.Context(), io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q in it", err, c.want)
			}
		})
	}

	l, err := Plan(sample())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(boom)
	if err := l.WriteTo(ctx, io.Discard); !errors.Is(err, boom) {
		t.Errorf("error %v, want the cause of the end", err)
	}
	for left := range 60 { // a disk that fills up anywhere
		if err := l.WriteTo(t.Context(), &failing{left << 18, boom}); !errors.Is(err, boom) && left<<18 < int(l.Size()) {
			t.Errorf("error %v with room for %d bytes", err, left<<18)
		}
	}
}

type failing struct {
	left int
	err  error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, f.err
	}
	return len(p), nil
}

// TestIdentifiers keeps names apart that ISO 9660 cannot tell apart.
func TestIdentifiers(t *testing.T) {
	taken := map[string]int{}
	var got []string
	for _, name := range []string{
		"a.txt", "A.TXT", "a_1.txt", "noext", ".hidden", "two.dots.gz", "é", strings.Repeat("x", 40), strings.Repeat("x", 41), "x." + strings.Repeat("e", 20), "v;1",
	} {
		got = append(got, identifier(name, false, taken))
	}
	got = append(got, identifier("dir.d", true, taken))
	want := []string{
		"A.TXT;1", "A_1.TXT;1", "A_1_1.TXT;1", "NOEXT.;1", "_HIDDEN.;1", "TWO_DOTS.GZ;1", "__.;1",
		strings.Repeat("X", 29) + ".;1", strings.Repeat("X", 27) + "_1.;1", "X.EEEEEEEE;1", "V_1.;1", "DIR_D",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("identifiers (-want +got):\n%s", diff)
	}
}

func TestManyNamesThatCollide(t *testing.T) {
	var files []File
	for i := range 20_000 {
		files = append(files, Text(fmt.Sprintf("d/%s%d", strings.Repeat("same", 10), i), ""))
	}
	begin := time.Now()
	l, err := Plan(Image{Label: "MANY", Files: files})
	if err != nil {
		t.Fatal(err)
	}
	v, err := Open(bytes.NewReader(l.head))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := v.Lookup(files[12_345].Path); err != nil {
		t.Error(err)
	}
	t.Logf("planned in %s", time.Since(begin))
}
