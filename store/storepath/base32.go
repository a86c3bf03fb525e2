package storepath

import (
	"fmt"
	"strings"
)

// Alphabet holds the 32 digits of Nix's base 32, in order of their value. The
// letters e, o, u and t are left out.
const Alphabet = "0123456789abcdfghijklmnpqrsvwxyz"

// notADigit marks the bytes that are no base-32 digit in digitValue.
const notADigit = 0xff

// digitValue maps a byte to the value of its digit.
var digitValue = func() (table [256]byte) {
	for i := range table {
		table[i] = notADigit
	}
	for value, digit := range []byte(Alphabet) {
		table[digit] = byte(value)
	}
	return table
}()

// IsDigit says whether c is a digit of Nix's base 32.
func IsDigit(c byte) bool { return digitValue[c] != notADigit }

// EncodeBase32 returns data in Nix's base 32: the bytes read as one
// little-endian number, written with the most significant digit first and no
// padding. 20 bytes give 32 digits, 32 bytes give 52.
func EncodeBase32(data []byte) string {
	digits := (len(data)*8 + 4) / 5
	out := make([]byte, digits)
	for n := range digits {
		at, shift := n*5/8, n*5%8
		window := uint(data[at])
		if at+1 < len(data) {
			window |= uint(data[at+1]) << 8
		}
		out[digits-1-n] = Alphabet[window>>shift&31]
	}
	return string(out)
}

// DecodeBase32 is the inverse of EncodeBase32. It refuses bytes outside the
// alphabet, lengths that no whole number of bytes gives, and set bits above
// the last byte.
func DecodeBase32(s string) ([]byte, error) {
	size := len(s) * 5 / 8
	if (size*8+4)/5 != len(s) {
		return nil, fmt.Errorf("base-32 text %q has a length that no whole number of bytes gives", s)
	}
	out := make([]byte, size)
	for n := range len(s) {
		value := digitValue[s[len(s)-1-n]]
		if value == notADigit {
			return nil, fmt.Errorf("base-32 text %q holds %q, which is none of %q", s, s[len(s)-1-n], Alphabet)
		}
		at, shift := n*5/8, n*5%8
		bits := uint(value) << shift
		out[at] |= byte(bits)
		if carry := byte(bits >> 8); at+1 < size {
			out[at+1] |= carry
		} else if carry != 0 {
			return nil, fmt.Errorf("base-32 text %q has bits above its last byte", s)
		}
	}
	return out, nil
}

// isHash says whether s is the 32-digit hash part of a store path.
func isHash(s string) bool {
	return len(s) == HashLen && strings.IndexFunc(s, func(r rune) bool { return r > 0x7f || !IsDigit(byte(r)) }) < 0
}
