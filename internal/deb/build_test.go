package deb

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// arMember returns a member with its header and filling byte.
func arMember(name string, content []byte) []byte {
	b := fmt.Appendf(nil, "%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 1, 0, 0, "100644", len(content))
	b = append(b, content...)
	if len(content)%2 == 1 {
		b = append(b, '\n')
	}
	return b
}

func arFile(members ...[]byte) []byte {
	return append([]byte(arMagic), bytes.Join(members, nil)...)
}

// tarFile writes entries; content is taken for regular files.
func tarFile(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := e.Header
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if h.Typeflag == tar.TypeReg && h.Size == 0 {
			h.Size = int64(len(e.content))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type entry struct {
	tar.Header
	content string
}

func file(name, content string) entry {
	return entry{tar.Header{Name: name}, content}
}

func dir(name string) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755}, ""}
}

func symlink(name, target string) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target}, ""}
}

func hardLink(name, target string) entry {
	return entry{tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: target}, ""}
}

func compress(t testing.TB, form string, plain []byte, xzBlock int64) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	var err error
	switch form {
	case "":
		return plain
	case "xz":
		w, err = xz.WriterConfig{BlockSize: xzBlock, DictCap: 1 << 16}.NewWriter(&b)
	case "gz":
		w = gzip.NewWriter(&b)
	case "zst":
		w, err = zstd.NewWriter(&b)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const controlText = "Package: sample\nVersion: 1.0-1\nArchitecture: amd64\nInstalled-Size: 1\nDepends: libc6 (>= 2.38)\n"

// controlMember is the control archive of a sane package.
func controlMember(t testing.TB) []byte {
	postinst := file("./postinst", "#!/bin/sh\n")
	postinst.Mode = 0o755
	return arMember("control.tar.gz", compress(t, "gz", tarFile(t, dir("./"), file("./control", controlText), postinst, file("./md5sums", "")), 0))
}

var debianBinary = arMember("debian-binary", []byte("2.0\n"))

// sampleDeb wraps a data archive into a package.
func sampleDeb(t testing.TB, form string, data []byte) []byte {
	name := "data.tar"
	if form != "" {
		name += "." + form
	}
	return arFile(debianBinary, controlMember(t), arMember(name, compress(t, form, data, 1<<20)))
}
