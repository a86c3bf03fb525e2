// Package network brings the wired links of a machine up while an installation
// medium runs on it: each gets its address by DHCP, in its own time, and again
// when a cable is plugged in. Nothing waits for it but what wants the network.
//
// One process runs [Run]; every other one learns from a file what became of
// the links ([Read], [Wait]). IPv6 addresses come from the kernel itself, by
// router advertisement; name servers only by DHCP. There is no Wi-Fi here: that
// wants a secret, and an installation needs no network.
package network

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// File is where the state is, while [Run] runs.
const File = "/run/reprise/network.json"

// maxFile bounds the file of the state, bytes.
const maxFile = 1 << 20

// Version of the file.
const Version = 1

// A State is what became of the wired links.
type State struct {
	Version int    `json:"version"`
	Links   []Link `json:"links"` // by name
	First   string `json:"first"` // the name of the link that got an address first; "" as long as none has
}

// A Status says how far a link is.
type Status string

// What may become of a link.
const (
	NoCable Status = "no cable"
	Asking  Status = "asking"   // for an address
	Silent  Status = "silent"   // nobody has answered; it goes on asking
	Up      Status = "up"       // it has an address
	Broken  Status = "unusable" // Problem says why
)

// A Link is a wired network interface.
type Link struct {
	Name        string   `json:"name"`    // "eth0"
	MAC         string   `json:"mac"`     // "52:54:00:12:34:56"
	Status      Status   `json:"status"`  //
	Address     string   `json:"address"` // "192.168.7.20/24"; "" without one
	Gateway     string   `json:"gateway"` // "" without one
	NameServers []string `json:"nameServers"`
	Problem     string   `json:"problem"` // in words, for Silent and Broken
}

// String is one line for a person.
func (l Link) String() string {
	name := l.Name + " (" + l.MAC + ")"
	switch l.Status {
	case Up:
		text := name + ": address " + l.Address
		if l.Gateway == "" {
			text += ", no gateway"
		}
		return text
	case NoCable:
		return name + ": no cable is in"
	case Asking:
		return name + ": a cable is in, asking for an address"
	case Silent:
		return name + ": a cable is in, and nobody gives out addresses there (DHCP): " + l.Problem
	}
	return name + ": cannot be used: " + l.Problem
}

// Lines are the links for a person.
func (s State) Lines() []string {
	if len(s.Links) == 0 {
		return []string{"no wired network interface"}
	}
	lines := make([]string, len(s.Links))
	for i, l := range s.Links {
		lines[i] = l.String()
	}
	return lines
}

// Online returns the link with an address: the one that had it first, or else
// another one.
func (s State) Online() (Link, bool) {
	var found *Link
	for i, l := range s.Links {
		if l.Status == Up && (found == nil || l.Name == s.First) {
			found = &s.Links[i]
		}
	}
	if found == nil {
		return Link{}, false
	}
	return *found, true
}

// Read reads the state at file. One that is not there is the state without
// links.
func Read(file string) (State, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return State{Version: Version}, nil
	}
	if err != nil {
		return State{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return State{}, err
	}
	return Parse(data)
}

// Parse reads a state.
func Parse(data []byte) (State, error) {
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return State{}, fmt.Errorf("state of the network: %w", err)
	}
	if s.Version != Version {
		return State{}, fmt.Errorf("state of the network: version %d, want %d", s.Version, Version)
	}
	return s, nil
}

// A NotUpError says that no link got an address in time.
type NotUpError struct{ State State }

func (e *NotUpError) Error() string {
	return "the network is not up: " + strings.Join(e.State.Lines(), "; ")
}

// look is how often a waiting process reads the state.
const look = 200 * time.Millisecond

// Wait returns the link with an address as soon as there is one. When ctx ends
// before, the error is a *NotUpError.
func Wait(ctx context.Context, file string) (Link, error) {
	for {
		s, err := Read(file)
		if err != nil {
			return Link{}, err
		}
		if l, ok := s.Online(); ok {
			return l, nil
		}
		select {
		case <-ctx.Done():
			return Link{}, &NotUpError{s}
		case <-time.After(look):
		}
	}
}
