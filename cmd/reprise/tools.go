package main

import (
	"context"
	"os"
	"path/filepath"

	"reprise/image"
	"reprise/internal/compose"
	"reprise/internal/lock"
	"reprise/internal/toolbox"
	"reprise/internal/vm"
	"reprise/store/sandbox"
	"reprise/store/storepath"
)

// tools opens the packages of a set as a root of programs.
func (s *session) tools(ctx context.Context, l *lock.Lock, set string, paths map[string]storepath.Path) (*toolbox.Root, error) {
	var layers []compose.Layer
	for _, p := range l.In(set) {
		layer, err := toolbox.ReadLayer(s.store, p.Name, paths[p.Name])
		if err != nil {
			return nil, err
		}
		layers = append(layers, layer)
	}
	return toolbox.Open(ctx, s.store, layers)
}

// imageTools lets package image run programs of a tool root.
type imageTools struct{ root *toolbox.Root }

func (t imageTools) Run(ctx context.Context, c image.Command) error {
	spec := t.root.Command(c.Argv...)
	spec.Env = append(spec.Env, c.Env...)
	spec.Stdin, spec.Stdout = c.Stdin, c.Stdout
	for _, b := range c.Binds {
		spec.Binds = append(spec.Binds, sandbox.Bind{Source: b.Source, Target: b.Target, Writable: b.Writable})
	}
	return toolbox.Run(ctx, spec)
}

func (t imageTools) ReadFile(path string) ([]byte, error) {
	return os.ReadFile(filepath.Join(t.root.Dir(), path))
}

// vmTools lets package vm run QEMU of a tool root, with the machine's network.
type vmTools struct{ root *toolbox.Root }

func (t vmTools) Run(ctx context.Context, c vm.Command) error {
	spec := t.root.Command(c.Argv...)
	spec.Env = append(spec.Env, c.Env...)
	spec.Network = true
	if c.Stdin != nil {
		spec.Stdin = c.Stdin
	}
	if c.Stdout != nil {
		spec.Stdout = c.Stdout
	}
	for _, b := range c.Binds {
		spec.Binds = append(spec.Binds, sandbox.Bind{Source: b.Source, Target: b.Target, Writable: b.Writable, Device: b.Device})
	}
	return toolbox.Run(ctx, spec)
}
