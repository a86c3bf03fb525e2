package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"reprise/installer"
	"reprise/internal/config"
	"reprise/internal/lock"
)

// judge says what is wrong with the configuration of a machine that is not
// there yet; see judged.
func judge(ctx context.Context, files map[string][]byte) error {
	_, _, err := judged(ctx, files)
	return err
}

// judged evaluates the configuration of a machine that is not there yet. An
// error is what is wrong with it, and which packages it wants that its lock
// does not have: the installed system is made without a network.
func judged(ctx context.Context, files map[string][]byte) (*config.Config, *lock.Lock, error) {
	dir, err := os.MkdirTemp("", "reprise-judge-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	for name, data := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return nil, nil, err
		}
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return nil, nil, err
		}
	}
	file := filepath.Join(dir, installer.ConfigurationFile)
	cfg, err := config.Evaluate(ctx, file, unhurried)
	var l *lock.Lock
	if err == nil {
		lockFile := lockPath(file, "", "")
		if l, err = readLock(lockFile); err == nil {
			err = covers(l, cfg, lockFile)
		}
	}
	if err != nil {
		return nil, nil, errors.New(strings.ReplaceAll(err.Error(), dir+"/", ""))
	}
	return cfg, l, nil
}

// unhurried bounds what an installer evaluates: on an old and busy machine a
// configuration that ends takes longer than somebody at a shell would wait.
var unhurried = config.EvalOptions{Timeout: 2 * time.Minute}
