package archive

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"reprise/internal/deb"
)

const (
	// maxInRelease bounds an InRelease; trixie's has 140 KB.
	maxInRelease = 8 << 20 // bytes

	// maxAhead is how far an InRelease may be dated ahead of the clock, for
	// clocks that are a little slow or in the wrong time zone.
	maxAhead = 24 * time.Hour

	// maxSignatures bounds the signatures that are tried. Debian makes two
	// or three.
	maxSignatures = 16
)

//go:embed keys/*.asc
var embeddedKeys embed.FS

// A keyring holds the keys whose signature counts.
type keyring struct{ entities openpgp.EntityList }

// debianKeys returns the embedded keys of Debian's archive.
func debianKeys() (keyring, error) {
	names, err := embeddedKeys.ReadDir("keys")
	if err != nil {
		return keyring{}, err
	}
	var armoured [][]byte
	for _, name := range names {
		data, err := embeddedKeys.ReadFile(path.Join("keys", name.Name()))
		if err != nil {
			return keyring{}, err
		}
		armoured = append(armoured, data)
	}
	return readKeys(armoured...)
}

// readKeys reads armoured public keys.
func readKeys(armoured ...[]byte) (keyring, error) {
	var k keyring
	for _, data := range armoured {
		list, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(data))
		if err != nil {
			return keyring{}, fmt.Errorf("archive key: %w", err)
		}
		k.entities = append(k.entities, list...)
	}
	if len(k.entities) == 0 {
		return keyring{}, errors.New("archive key: there is none")
	}
	return k, nil
}

// A release is a verified InRelease.
type release struct {
	suite, codename  string
	date, validUntil time.Time // validUntil is zero when it does not expire
	byHash           bool
	architectures    string
	indices          map[string]indexFile // by path below dists/SUITE/
	sha256           string               // of the InRelease as it was sent
}

// An indexFile is one line of the SHA256 field.
type indexFile struct {
	sha256 string
	size   int64
}

// openRelease verifies an InRelease and reads what was signed, nothing else.
// now is the time at which keys and signatures must be valid.
func openRelease(data []byte, keys keyring, now time.Time) (*release, error) {
	if len(data) > maxInRelease {
		return nil, fmt.Errorf("more than %d bytes", maxInRelease)
	}
	text, err := signedText(data, keys, now)
	if err != nil {
		return nil, err
	}
	r, err := parseRelease(text)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	r.sha256 = hex.EncodeToString(sum[:])
	return r, nil
}

// signedText returns the text that a known key signed. Text before or after
// the signed message is refused, so that nobody can read it by mistake.
func signedText(data []byte, keys keyring, now time.Time) ([]byte, error) {
	const start = "-----BEGIN PGP SIGNED MESSAGE-----"
	if !bytes.HasPrefix(data, []byte(start+"\n")) && !bytes.HasPrefix(data, []byte(start+"\r\n")) {
		return nil, fmt.Errorf("it is not a signed InRelease: it starts with %.40q", data)
	}
	block, rest := clearsign.Decode(data)
	if block == nil {
		return nil, errors.New("the signed message is cut short or damaged")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("there is text after the signature")
	}
	raw, err := io.ReadAll(io.LimitReader(block.ArmoredSignature.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("the signature is damaged: %w", err)
	}
	if err := checkSignatures(block.Bytes, raw, keys, now); err != nil {
		return nil, err
	}
	// Bytes is what the signature covers: line ends are CRLF there, and blanks
	// at the ends of lines are gone.
	return bytes.ReplaceAll(block.Bytes, []byte("\r\n"), []byte("\n")), nil
}

// checkSignatures wants one good signature by a known key. Signatures by
// other keys do not matter: Debian signs with the keys of two releases.
func checkSignatures(signed, raw []byte, keys keyring, now time.Time) error {
	config := &packet.Config{Time: func() time.Time { return now }}
	var unknown []string
	var faults []error
	packets := packet.NewReader(bytes.NewReader(raw))
	for n := 0; ; n++ {
		p, err := packets.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("the signature is damaged: %w", err)
		}
		s, ok := p.(*packet.Signature)
		if !ok || s.IssuerKeyId == nil || n == maxSignatures {
			return errors.New("the signature holds something that is no signature")
		}
		id := fmt.Sprintf("%016X", *s.IssuerKeyId)
		var one bytes.Buffer
		if err := s.Serialize(&one); err != nil {
			return fmt.Errorf("the signature is damaged: %w", err)
		}
		if len(keys.entities.KeysByIdUsage(*s.IssuerKeyId, packet.KeyFlagSign)) == 0 {
			unknown = append(unknown, id)
			continue
		}
		if _, err := openpgp.CheckDetachedSignature(keys.entities, bytes.NewReader(signed), &one, config); err != nil {
			faults = append(faults, fmt.Errorf("the signature by key %s is not good: %w", id, err))
			continue
		}
		return nil
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	if len(unknown) == 0 {
		return errors.New("there is no signature")
	}
	var known []string
	for _, e := range keys.entities {
		known = append(known, fmt.Sprintf("%016X", e.PrimaryKey.KeyId))
	}
	return fmt.Errorf("it is signed by the unknown key %s only; the archive's keys are %s and their subkeys",
		strings.Join(unknown, " and "), strings.Join(known, ", "))
}

// parseRelease reads the fields of a Release file.
// Source: the Debian repository format, "Release files".
func parseRelease(text []byte) (*release, error) {
	s, err := deb.ParseStanza(text)
	if err != nil {
		return nil, err
	}
	r := &release{
		suite:         s.Get("Suite"),
		codename:      s.Get("Codename"),
		architectures: s.Get("Architectures"),
		byHash:        s.Get("Acquire-By-Hash") == "yes",
		indices:       map[string]indexFile{},
	}
	if r.date, err = parseDate(s.Get("Date")); err != nil {
		return nil, fmt.Errorf("field \"Date\": %w", err)
	}
	if until, ok := s.Lookup("Valid-Until"); ok {
		if r.validUntil, err = parseDate(until); err != nil {
			return nil, fmt.Errorf("field \"Valid-Until\": %w", err)
		}
	}
	for line := range strings.Lines(s.Get("SHA256")) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 3 || !isSHA256(fields[0]) {
			return nil, fmt.Errorf("field \"SHA256\": line %.100q", strings.TrimSpace(line))
		}
		size, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil || size < 0 {
			return nil, fmt.Errorf("field \"SHA256\": size %.40q is not a number", fields[1])
		}
		r.indices[fields[2]] = indexFile{fields[0], size}
	}
	return r, nil
}

// parseDate reads the dates of Release files, such as
// "Sat, 12 Sep 2026 07:55:41 UTC". Other zones than UTC do not occur.
func parseDate(s string) (time.Time, error) {
	for _, layout := range []string{"Mon, _2 Jan 2006 15:04:05 UTC", "Mon, _2 Jan 2006 15:04:05 GMT", "Mon, _2 Jan 2006 15:04:05 +0000"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%.60q is no date such as \"Sat, 12 Sep 2026 07:55:41 UTC\"", s)
}

func isSHA256(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

const dateLayout = "2006-01-02 15:04:05 UTC"

// check decides whether the release may be used: it is of the wanted suite,
// of its time, and not older than notBefore (zero: any age).
func (r *release) check(suite string, now, notBefore time.Time) error {
	clock := now.UTC().Format(dateLayout)
	if r.codename != suite && r.suite != suite {
		return fmt.Errorf("it is of suite %q, code name %q, where %q is wanted\n"+
			"  do:   check the base in --mirror or the configuration", r.suite, r.codename, suite)
	}
	if r.date.After(now.Add(maxAhead)) {
		return fmt.Errorf("it is dated %s, and this machine's clock says %s\n"+
			"  do:   set the clock", r.date.Format(dateLayout), clock)
	}
	if !r.validUntil.IsZero() && now.After(r.validUntil) {
		return fmt.Errorf("it expired: dated %s, valid until %s, and this machine's clock says %s\n"+
			"  do:   if the clock is wrong, set it; if it is right, the mirror has stopped following Debian: choose another one",
			r.date.Format(dateLayout), r.validUntil.Format(dateLayout), clock)
	}
	if r.date.Before(notBefore) {
		return fmt.Errorf("it is dated %s, older than the one of %s that the lock was made from: the mirror went back in time\n"+
			"  do:   choose another mirror, or wait until this one has caught up",
			r.date.Format(dateLayout), notBefore.UTC().Format(dateLayout))
	}
	return nil
}

// A packagesFile is a Packages index in the form in which it is fetched.
type packagesFile struct {
	path        string // below dists/SUITE/
	compression string // "xz", "gz" or ""
	fetched     indexFile
	plain       indexFile
}

// packagesIndex picks the form of a component's Packages index to fetch.
func (r *release) packagesIndex(component, arch string) (packagesFile, error) {
	name := component + "/binary-" + arch + "/Packages"
	plain, ok := r.indices[name]
	if !ok {
		return packagesFile{}, fmt.Errorf("it lists no %q\n"+
			"  do:   name components and an architecture that the mirror has", name)
	}
	for _, ending := range []string{"xz", "gz"} {
		if f, ok := r.indices[name+"."+ending]; ok {
			return packagesFile{name + "." + ending, ending, f, plain}, nil
		}
	}
	return packagesFile{name, "", plain, plain}, nil
}
