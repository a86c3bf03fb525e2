package storepath

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/nix-community/go-nix/pkg/nixbase32"
)

func TestBase32(t *testing.T) {
	for _, test := range []struct{ hex, want string }{ // from nix-hash --to-base32
		{"", ""},
		{"000102030405060708090a0b0c0d0e0f", "0g1q6hq2qa1440f1h50h1h4080"},
		{"000102030405060708090a0b0c0d0e0f10111213", "2c91240g1q6hq2qa1440f1h50h1h4080"},
		{"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73"},
	} {
		data, err := hex.DecodeString(test.hex)
		if err != nil {
			t.Fatal(err)
		}
		if got := EncodeBase32(data); got != test.want {
			t.Errorf("EncodeBase32(%s) = %q, want %q", test.hex, got, test.want)
		}
		if got, err := DecodeBase32(test.want); err != nil || !bytes.Equal(got, data) {
			t.Errorf("DecodeBase32(%q) = %x, %v, want %s", test.want, got, err, test.hex)
		}
	}
	for _, bad := range []string{"0", "000", "e0", "zz", "00 ", "0A"} {
		if got, err := DecodeBase32(bad); err == nil {
			t.Errorf("DecodeBase32(%q) = %x, want an error", bad, got)
		}
	}
}

func FuzzBase32(f *testing.F) {
	f.Add("0g1q6hq2qa1440f1h50h1h4080", []byte("some bytes"))
	f.Fuzz(func(t *testing.T, text string, data []byte) {
		if got, want := EncodeBase32(data), nixbase32.EncodeToString(data); got != want {
			t.Errorf("EncodeBase32(%x) = %q, want %q", data, got, want)
		}
		if got, err := DecodeBase32(EncodeBase32(data)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("the way there and back of %x ends at %x, %v", data, got, err)
		}
		if got, err := DecodeBase32(text); err == nil && EncodeBase32(got) != text {
			t.Errorf("DecodeBase32(%q) = %x, which is %q", text, got, EncodeBase32(got))
		}
	})
}

// TestMake compares with what nix-store --add and --add-fixed print, and with
// a text of nix-instantiate.
func TestMake(t *testing.T) {
	tree, err := DecodeBase32("1m1ahvc3zh6bi94naifkxljfc9k6z8pwzkysh4vrxx42i8yajla5")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		make func() (Path, error)
		want Path
	}{
		{func() (Path, error) { return MakeFixed("tree", true, [32]byte(tree)) },
			"/nix/store/kz6yk37qa2y4gngbfimj2ik588z3plj9-tree"},
		{func() (Path, error) { return MakeFixed("hello.txt", false, sha256.Sum256([]byte("hello\n"))) },
			"/nix/store/gy454w1cxaq731grqwylhzf4pp9r5izh-hello.txt"},
	} {
		if got, err := test.make(); got != test.want || err != nil {
			t.Errorf("made %q, %v, want %q", got, err, test.want)
		}
	}
	if _, err := MakeFixed("x", false, [32]byte{}, "/nix/store/kz6yk37qa2y4gngbfimj2ik588z3plj9-tree"); err == nil {
		t.Error("a flat fixed output takes references")
	}
	a, b := Path("/nix/store/gy454w1cxaq731grqwylhzf4pp9r5izh-a"), Path("/nix/store/kz6yk37qa2y4gngbfimj2ik588z3plj9-b")
	one, _ := MakeText("x", nil, []Path{a, b})
	two, _ := MakeText("x", nil, []Path{b, a, b})
	if one != two {
		t.Errorf("the order of references matters: %q, %q", one, two)
	}
}

func TestParse(t *testing.T) {
	const hash = "kz6yk37qa2y4gngbfimj2ik588z3plj9"
	p, err := Parse(Dir + "/" + hash + "-bash-5.2")
	if err != nil || p.Hash() != hash || p.Name() != "bash-5.2" || p.Base() != hash+"-bash-5.2" {
		t.Errorf("Parse = %q (%q, %q, %q), %v", p, p.Hash(), p.Name(), p.Base(), err)
	}
	for _, bad := range []string{
		"", "/", "/nix/store", "/nix/store/", "/nix/store/" + hash, "/nix/store/" + hash + "-",
		"/nix/store/" + hash + "_x", "/nix/store/" + hash + "-a/b", "/nix/store/../" + hash + "-a",
		"/opt/store/" + hash + "-a", "/nix/store/" + strings.Replace(hash, "k", "e", 1) + "-a",
		"/nix/store/" + hash + "-a~b", "/nix/store/" + hash + "-.", "/nix/store/" + hash + "-..",
		"/nix/store/" + hash + "-.-x", "/nix/store/" + hash + "-" + strings.Repeat("x", MaxName+1),
		"/nix/store/" + hash + "-ä", "/nix/store/" + hash + "-a\x00",
	} {
		if p, err := Parse(bad); err == nil {
			t.Errorf("Parse(%q) = %q, want an error", bad, p)
		}
	}
	p, rest, ok := In("/nix/store/" + hash + "-x/bin/sh")
	if p.Name() != "x" || rest != "/bin/sh" || !ok {
		t.Errorf("In = %q, %q, %v", p, rest, ok)
	}
	if zero := Path(""); zero.Hash() != "" || zero.Name() != "" {
		t.Errorf("the zero Path has hash %q and name %q", zero.Hash(), zero.Name())
	}
}

func TestNameVersion(t *testing.T) {
	for version, want := range map[string]string{
		"1:2.3~rc1+dfsg-1": "x-1_2.3__rc1+dfsg-1", "5.2": "x-5.2",
	} {
		got := NameVersion("x", version)
		if err := errors.Join(CheckName(got)); got != want || err != nil {
			t.Errorf("NameVersion(x, %q) = %q, %v, want %q", version, got, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("/nix/store/kz6yk37qa2y4gngbfimj2ik588z3plj9-tree/bin")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := Parse(text); err == nil && (string(p) != text || Dir+"/"+p.Hash()+"-"+p.Name() != text) {
			t.Errorf("Parse(%q) = %q", text, p)
		}
		if p, rest, ok := In(text); ok && string(p)+rest != text {
			t.Errorf("In(%q) = %q, %q", text, p, rest)
		}
	})
}
