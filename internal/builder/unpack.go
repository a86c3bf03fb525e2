package builder

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"reprise/internal/builder/spec"
	"reprise/internal/deb"
	"reprise/internal/effect"
)

// Unpack makes an unpacked package.
func Unpack(ctx context.Context, b *Build) error {
	var s spec.Unpack
	if err := b.decode(&s); err != nil {
		return err
	}
	file, err := os.Open(b.real(s.Deb))
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	var options deb.UnpackOptions
	if len(s.XZ) > 0 {
		var dirs []string
		for _, p := range s.XZ {
			dirs = append(dirs, b.real(p))
		}
		argv, err := effect.LoaderCommand(dirs, "usr/bin/xz", "--decompress", "--stdout", "--threads=1")
		if err != nil {
			return err
		}
		options.XZ = func(r io.Reader) (io.ReadCloser, error) { return startFilter(ctx, argv, r) }
	}
	if _, err := deb.Unpack(ctx, file, info.Size(), b.Out, options); err != nil {
		return fmt.Errorf("unpack %q: %w", s.Deb, err)
	}
	return nil
}

// filter is the output of a program that reads another stream. It ends with
// io.EOF only if the program did end well.
type filter struct {
	io.Reader
	cmd  *exec.Cmd
	stop context.CancelFunc
	done bool  // Wait was called
	err  error // of Wait
}

func startFilter(ctx context.Context, argv []string, r io.Reader) (io.ReadCloser, error) {
	ctx, stop := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = []string{}
	cmd.Stdin, cmd.Stderr = r, os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		stop()
		return nil, err
	}
	return &filter{Reader: out, cmd: cmd, stop: stop}, nil
}

func (f *filter) wait() error {
	if !f.done {
		f.done = true
		if f.err = f.cmd.Wait(); f.err != nil {
			f.err = fmt.Errorf("xz: %w", f.err)
		}
	}
	return f.err
}

func (f *filter) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		if ended := f.wait(); ended != nil {
			err = ended
		}
	}
	return n, err
}

// Close ends a program that has not ended by itself.
func (f *filter) Close() error {
	if f.done {
		f.stop()
		return f.err
	}
	f.stop()
	f.wait()
	return nil
}
