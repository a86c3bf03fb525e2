package kmod

import "strings"

// match reports whether s matches a modules.alias pattern: '*' for any run of
// bytes, '?' for one byte, '[a-f0-9]' for one byte of a set ('!' or '^' first
// inverts it). It is fnmatch(3) without flags, where '/' is an ordinary byte.
// Time is linear in len(pattern)·len(s): only the last '*' is tried again.
func match(pattern, s string) bool {
	p, i := 0, 0
	star, from := -1, 0
	for i < len(s) {
		if p < len(pattern) {
			if pattern[p] == '*' {
				star, from = p, i
				p++
				continue
			}
			if n := matchOne(pattern[p:], s[i]); n > 0 {
				p += n
				i++
				continue
			}
		}
		if star < 0 {
			return false
		}
		from++
		p, i = star+1, from
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// matchOne matches one byte against the head of a pattern and returns how much
// of the pattern that took, 0 when it does not match.
func matchOne(pattern string, c byte) int {
	switch pattern[0] {
	case '?':
		return 1
	case '[':
		if n, in := matchSet(pattern, c); n > 0 {
			if !in {
				return 0
			}
			return n
		}
	case '\\':
		if len(pattern) > 1 {
			if pattern[1] == c {
				return 2
			}
			return 0
		}
	}
	if pattern[0] == c {
		return 1
	}
	return 0
}

// matchSet reads "[…]" and returns its length, 0 when it is not closed.
func matchSet(pattern string, c byte) (length int, in bool) {
	i := 1
	inverted := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if inverted {
		i++
	}
	for first := true; i < len(pattern); first = false {
		if pattern[i] == ']' && !first {
			return i + 1, in != inverted
		}
		low, high := pattern[i], pattern[i]
		i++
		if i+1 < len(pattern) && pattern[i] == '-' && pattern[i+1] != ']' {
			high = pattern[i+1]
			i += 2
		}
		in = in || low <= c && c <= high
	}
	return 0, false
}
