package stage1

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/dustin/go-humanize"

	"reprise/initrd/blockdev"
	"reprise/internal/progress"
	"reprise/internal/rootmount"
	"reprise/internal/sha256sums"
)

// maxChecksums bounds SHA256SUMS, bytes.
const maxChecksums = 1 << 20

// checkMedium reads the whole medium, says on every console whether it is what
// was written, and reboots. It returns only with an error.
func (b *boot) checkMedium(d blockdev.Device) error {
	restore := quietConsole()
	defer restore()
	screens := openScreens()
	defer screens.close()
	stop := b.attend()
	defer stop()
	screens.print(fmt.Sprintf("\nreprise: checking the installation medium, /dev/%s\n", d.Name))
	data, err := readBounded(filepath.Join(rootmount.Medium, checksums), maxChecksums)
	var sums []sha256sums.Sum
	if err == nil {
		sums, err = sha256sums.Parse(data)
	}
	if err != nil {
		return &Failure{Medium: true, Got: "its list of checksums cannot be read", Want: checksums, Err: err, Do: writeAnew}
	}
	task := &screenTask{screens: screens}
	result, err := sha256sums.Verify(context.Background(), os.DirFS(rootmount.Medium), sums, task)
	task.Done(err)
	if err != nil {
		return err
	}
	if len(result.Bad) > 0 {
		f := &Failure{Medium: true, Got: fmt.Sprintf("%d of its %d files are damaged", len(result.Bad), result.Files), Do: writeAnew}
		for _, bad := range result.Bad {
			f.Seen = append(f.Seen, bad.Error())
		}
		f.Seen = append(f.Seen, b.log.kernelSays("I/O error")...)
		screens.print("reprise-check: bad\n")
		return f
	}
	screens.print(fmt.Sprintf("reprise-check: good\nThe medium is well: %d files, %s (%d bytes) are what was written.\n",
		result.Files, humanize.IBytes(uint64(result.Bytes)), result.Bytes))
	screens.pause(b.line.Timeout)
	screens.print("Rebooting.\n")
	quitMedium(Reboot, screens, nil) // the disc stays: who checks it wants to install from it
	return nil
}

// A screenTask shows on every console how far a task is, ten times in all on
// lines of their own, so that a log stays short, and each second in place.
type screenTask struct {
	screens screens

	mu          sync.Mutex
	begun, said time.Time
	done, total int64
}

var _ progress.Task = (*screenTask)(nil)

func (t *screenTask) SetTotal(total int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total, t.begun = total, time.Now()
}

func (t *screenTask) Detail(string) {}

func (t *screenTask) Add(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done += n
	if time.Since(t.said) < time.Second {
		return
	}
	t.said = time.Now()
	t.screens.print("\r" + t.text() + "  ")
}

func (t *screenTask) Done(error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.screens.print("\r" + t.text() + "  \n")
}

// text is "412 MiB of 1.2 GiB, 33 %, 38 MiB/s, 21 s left".
func (t *screenTask) text() string {
	took := time.Since(t.begun).Seconds()
	s := fmt.Sprintf("%s of %s", humanize.IBytes(uint64(t.done)), humanize.IBytes(uint64(t.total)))
	if t.total > 0 {
		s += fmt.Sprintf(", %d %%", t.done*100/t.total)
	}
	if took >= 1 && t.done > 0 {
		rate := float64(t.done) / took
		s += fmt.Sprintf(", %s/s, %.0f s left", humanize.IBytes(uint64(rate)), float64(t.total-t.done)/rate)
	}
	return s
}
