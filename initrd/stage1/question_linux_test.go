package stage1

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal makes a terminal and the end that a person sits at.
func terminal(t *testing.T) (person, screen *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	fd := int(person.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	return person, screen
}

// displayed reads what the person sees, until it ends with text.
func displayed(t *testing.T, person *os.File, text string) string {
	t.Helper()
	var all []byte
	buffer := make([]byte, 1024)
	for !strings.HasSuffix(string(all), text) {
		n, err := person.Read(buffer)
		if err != nil {
			t.Fatalf("after %q: %v", all, err)
		}
		all = append(all, buffer[:n]...)
	}
	return string(all)
}

// The first of two terminals that answers is taken, and nothing of the answer
// is shown on either.
func TestAsk(t *testing.T) {
	one, screen := terminal(t)
	two, second := terminal(t)
	q := screens{newScreen(screen), newScreen(second)}.quiet()
	go func() {
		displayed(t, one, "Passphrase: ")
		_, _ = one.WriteString("half of it")
		displayed(t, two, "Passphrase: ")
		_, _ = two.WriteString("\r") // no answer: it is asked again
		displayed(t, two, "Passphrase: ")
		_, _ = two.WriteString("da capo\x7f\x7fpo 4321\r")
	}()
	got, err := q.ask("Passphrase: ", 0)
	if err != nil || string(got) != "da capo 4321" {
		t.Errorf("%q, %v", got, err)
	}
	q.restore()
	q.screens.print("done.")
	for _, person := range []*os.File{one, two} {
		text := strings.ReplaceAll(displayed(t, person, "done."), "Passphrase: ", "")
		if strings.ContainsAny(text, "hcp4") {
			t.Errorf("the screen shows %q", text)
		}
	}
	settings, err := unix.IoctlGetTermios(int(screen.Fd()), unix.TCGETS)
	if err != nil || settings.Lflag&unix.ECHO == 0 {
		t.Errorf("the terminal is not as it was: %+v, %v", settings, err)
	}
}

func TestAskNobody(t *testing.T) {
	_, screen := terminal(t)
	q := screens{newScreen(screen)}.quiet()
	defer q.restore()
	if got, err := q.ask("Passphrase: ", time.Millisecond); !errors.Is(err, errNobody) {
		t.Errorf("%q, %v", got, err)
	}
	// A terminal that hangs up while it is asked, and a machine that has none.
	person, gone := terminal(t)
	q = screens{newScreen(gone)}.quiet()
	go func() {
		displayed(t, person, "Passphrase: ")
		person.Close()
	}()
	if got, err := q.ask("Passphrase: ", 0); !errors.Is(err, errNoConsole) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := (screens{}).quiet().ask("Passphrase: ", 0); !errors.Is(err, errNoConsole) {
		t.Errorf("%q, %v", got, err)
	}
}
