package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"reprise/installer"
)

// publicKeys reads public ssh keys for the installer's screens: from an https
// address, or from a file on the stick.
func (i *installation) publicKeys(ctx context.Context, place string) (string, error) {
	if strings.HasPrefix(place, "https://") {
		data, err := installer.Fetch(ctx, place)
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("%w. Is a network cable in? The name of a .pub file on the stick does as well", err)
		}
		return string(data), err
	}
	data, err := installer.FindFile(strings.TrimPrefix(place, "/"), i.medium.Dir, i.medium.Disk)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there is no such file on the medium, nor on a stick with the label %s", installer.DataLabel)
	}
	return string(data), err
}
