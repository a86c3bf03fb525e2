package deb

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sampleHash = "b795464137a0f4d443fc9284f4b93e883fb83883cb533adf300ac660807a352a"

const samplePackages = `Package: perl-base
Source: perl (5.40.1-6)
Version: 5.40.1-6+deb13u1
Essential: yes
Installed-Size: 7815
Maintainer: Some Body <somebody@example.invalid>
Architecture: amd64
Replaces: libfile-path-perl (<< 2.18),
 perl (<< 5.10.1-12)
Provides: libfile-path-perl (= 2.18), perlapi-5.40.1
Pre-Depends: libc6 (>= 2.38)
Suggests: perl, sensible-utils
Description: minimal Perl system
Tag: devel::interpreter,
 role::program
Section: perl
Priority: required
Multi-Arch: foreign
Filename: pool/main/p/perl/perl-base_5.40.1-6+deb13u1_amd64.deb
Size: 1666320
SHA256: ` + sampleHash + `

Package: tzdata
Version: 2026a-0+deb13u1
Architecture: all
Depends: debconf (>= 0.5) | debconf-2.0
Filename: pool/main/t/tzdata/tzdata_2026a-0+deb13u1_all.deb
Size: 1
SHA256: ` + sampleHash + "\n"

var samplePackage = Package{
	Name: "perl-base", Version: "5.40.1-6+deb13u1", Architecture: "amd64", Source: "perl", MultiArch: "foreign",
	Filename: "pool/main/p/perl/perl-base_5.40.1-6+deb13u1_amd64.deb", SHA256: sampleHash,
	Section: "perl", Priority: "required", Size: 1666320, InstalledSize: 7815, Essential: true,
	PreDepends: []Clause{{{Name: "libc6", Op: ">=", Version: "2.38"}}},
	Suggests:   []Clause{{{Name: "perl"}}, {{Name: "sensible-utils"}}},
	Replaces:   []Clause{{{Name: "libfile-path-perl", Op: "<<", Version: "2.18"}}, {{Name: "perl", Op: "<<", Version: "5.10.1-12"}}},
	Provides:   []Clause{{{Name: "libfile-path-perl", Op: "=", Version: "2.18"}}, {{Name: "perlapi-5.40.1"}}},
}

func TestReadPackages(t *testing.T) {
	got, err := ReadPackages(strings.NewReader(samplePackages))
	if err != nil {
		t.Fatal(err)
	}
	want := []Package{samplePackage, {
		Name: "tzdata", Version: "2026a-0+deb13u1", Architecture: "all", SHA256: sampleHash, Size: 1,
		Filename: "pool/main/t/tzdata/tzdata_2026a-0+deb13u1_all.deb",
		Depends:  []Clause{{{Name: "debconf", Op: ">=", Version: "0.5"}, {Name: "debconf-2.0"}}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadPackagesRefuses(t *testing.T) {
	for name, change := range map[string][2]string{
		"no version":        {"Version: 5.40.1-6+deb13u1\n", ""},
		"bad version":       {"Version: 5", "Version: x"},
		"bad name":          {"Package: perl-base", "Package: Perl_base"},
		"path as name":      {"Package: perl-base", "Package: .."},
		"no hash":           {"SHA256: " + sampleHash + "\n\nP", "\nP"},
		"negative size":     {"Size: 1666320", "Size: -1"},
		"no number":         {"Installed-Size: 7815", "Installed-Size: 7e3"},
		"bad relation":      {"libc6 (>= 2.38)", "libc6 (~ 2.38)"},
		"a field twice":     {"Section: perl\n", "Section: perl\nSection: perl\n"},
		"no colon in a row": {"Section: perl\n", "Section perl\n"},
	} {
		text := strings.Replace(samplePackages, change[0], change[1], 1)
		if text == samplePackages {
			t.Fatalf("%s changes nothing", name)
		}
		if got, err := ReadPackages(strings.NewReader(text)); err == nil {
			t.Errorf("%s: taken, as %+v", name, got)
		}
	}
}

// An index of the size of trixie's, to be looked at with -bench.
func BenchmarkReadPackages(b *testing.B) {
	var text bytes.Buffer
	for i := range 68000 {
		text.WriteString(strings.Replace(samplePackages[:strings.Index(samplePackages, "\n\n")+2], "perl-base", fmt.Sprintf("perl%d", i), 1))
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		list, err := ReadPackages(bytes.NewReader(text.Bytes()))
		if err != nil || len(list) != 68000 {
			b.Fatal(len(list), err)
		}
	}
}

func FuzzReadPackages(f *testing.F) {
	f.Add(samplePackages)
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ReadPackages(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, p := range list {
			if p.Name == "" || p.Filename == "" || p.Size <= 0 || p.InstalledSize < 0 || ValidVersion(p.Version) != nil {
				t.Errorf("%+v from %q", p, text)
			}
		}
	})
}
