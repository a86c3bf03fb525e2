package deb

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseDepends(t *testing.T) {
	for _, test := range []struct {
		in   string
		want []Clause
	}{
		{"", nil},
		{" \n ", nil},
		{"libc6", []Clause{{{Name: "libc6"}}}},
		{"libc6 (>= 2.38), libcrypt1 (>=1:4.1.0)", []Clause{
			{{Name: "libc6", Op: ">=", Version: "2.38"}}, {{Name: "libcrypt1", Op: ">=", Version: "1:4.1.0"}}}},
		{"kmod, initramfs-tools (>= 0.120+deb8u2) | linux-initramfs-tool", []Clause{
			{{Name: "kmod"}}, {{Name: "initramfs-tools", Op: ">=", Version: "0.120+deb8u2"}, {Name: "linux-initramfs-tool"}}}},
		{"python3:any (<< 3.14),\n python3 (= 3.13)", []Clause{
			{{Name: "python3", Arch: "any", Op: "<<", Version: "3.14"}}, {{Name: "python3", Op: "=", Version: "3.13"}}}},
		{"a1 (< 1), b1 (> 2), c1 (>> 3) ,", []Clause{
			{{Name: "a1", Op: "<=", Version: "1"}}, {{Name: "b1", Op: ">=", Version: "2"}}, {{Name: "c1", Op: ">>", Version: "3"}}}},
	} {
		got, err := ParseDepends(test.in)
		if err != nil {
			t.Errorf("ParseDepends(%q): %v", test.in, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("ParseDepends(%q) (-want +got):\n%s", test.in, diff)
		}
	}
}

func TestParseDependsRefuses(t *testing.T) {
	for _, in := range []string{
		"a", "-x", "libc6 |", "| libc6", "libc6 2.38", "libc6 (2.38)", "libc6 (>= 2.38", "libc6 (>=)", "libc6 (>< 1)",
		"libc6 [amd64]", "libc6 <!nocheck>", "libc6: (= 1)", "libc6 (= 1_2)", "libc6 (= 1) x", "Ärger", "libc6 (= 1 2)",
	} {
		if got, err := ParseDepends(in); err == nil {
			t.Errorf("ParseDepends(%q) = %v, want an error", in, got)
		}
	}
}

func TestAllows(t *testing.T) {
	for _, test := range []struct {
		relation, yes, no string
	}{
		{"aa", "1", ""},
		{"aa (<< 2)", "1", "2"},
		{"aa (<= 2)", "2", "2+"},
		{"aa (= 2)", "2", "2-1"},
		{"aa (>= 2)", "2", "2~"},
		{"aa (>> 2)", "2+", "2"},
	} {
		clauses, err := ParseDepends(test.relation)
		if err != nil {
			t.Fatal(err)
		}
		r := clauses[0][0]
		if !r.Allows(test.yes) {
			t.Errorf("%q does not allow %q", test.relation, test.yes)
		}
		if test.no != "" && r.Allows(test.no) {
			t.Errorf("%q allows %q", test.relation, test.no)
		}
	}
}

func printClauses(clauses []Clause) string {
	words := make([]string, len(clauses))
	for i, c := range clauses {
		words[i] = c.String()
	}
	return strings.Join(words, ", ")
}

func FuzzParseDepends(f *testing.F) {
	f.Add("kmod, initramfs-tools (>= 0.120+deb8u2) | linux-initramfs-tool, python3:any")
	f.Add("a1 (< 1), b1 (> 2),")
	f.Fuzz(func(t *testing.T, s string) {
		clauses, err := ParseDepends(s)
		if err != nil {
			return
		}
		printed := printClauses(clauses)
		again, err := ParseDepends(printed)
		if diff := cmp.Diff(clauses, again); err != nil || diff != "" {
			t.Errorf("ParseDepends(%q): %v; from %q (-first +again):\n%s", printed, err, s, diff)
		}
	})
}
