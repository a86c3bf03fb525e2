package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"reprise/initrd/network"
	"reprise/installer"
)

// networkLimit is how long a link may take until it has an address, once it has
// its driver: a switch may let nothing through for half a minute.
const networkLimit = 2 * time.Minute

// web is how answers come from a URL: over the links that stage 1 brings up
// once the drivers of the medium are there.
func (i *installation) web(out io.Writer) installer.Web {
	return installer.Web{
		Say: func(format string, args ...any) {
			fmt.Fprintf(out, "reprise: %s\n", fmt.Sprintf(format, args...))
		},
		Up: func(ctx context.Context) (string, error) {
			if err := i.medium.Settle(ctx); err != nil {
				return "", err
			}
			ctx, cancel := context.WithTimeout(ctx, networkLimit)
			defer cancel()
			l, err := network.Wait(ctx, network.File)
			if err == nil {
				fmt.Fprintf(out, "reprise: network: %s\n", l)
			}
			return l.MAC, err
		},
	}
}

// firstMAC puts the card that the machine is on the network with before the
// others: where answers came over it, it is the one that names the machine.
func firstMAC(macs []string) []string {
	s, err := network.Read(network.File)
	if err != nil {
		return macs
	}
	return inFront(macs, s)
}

func inFront(macs []string, s network.State) []string {
	l, ok := s.Online()
	if !ok {
		return macs
	}
	first := []string{}
	var others []string
	for _, mac := range macs {
		if strings.EqualFold(mac, l.MAC) {
			first = append(first, mac)
		} else {
			others = append(others, mac)
		}
	}
	return append(first, others...)
}
