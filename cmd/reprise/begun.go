package main

import (
	"os"
	"path/filepath"
)

// begunFile is there once a person has pressed a key in the installer of a
// medium: answers on a stick that comes later must not interrupt.
const begunFile = installDir + "/begun"

// begin notes that a person has begun.
func begin(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	return os.WriteFile(file, nil, 0o600)
}

// begun says whether a person has.
func begun(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}
