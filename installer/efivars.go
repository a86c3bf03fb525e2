package installer

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/u-root/u-root/pkg/efivarfs"
	"golang.org/x/sys/unix"
)

// globalVendor is the vendor of the variables that UEFI itself defines:
// EFI_GLOBAL_VARIABLE, UEFI 2.10, 3.3.
const globalVendor = "-8be4df61-93ca-11d2-aa0d-00e098032b8c"

// Variables are those of the firmware; nil where that is no UEFI.
func (l *Linux) Variables() (Variables, error) {
	if _, err := os.Stat("/sys/firmware/efi"); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	e, err := efivarfs.New()
	if err != nil { // an initramfs has not mounted it
		_ = exec.Command("/sbin/modprobe", "-q", "efivarfs").Run()
		if err := unix.Mount("efivarfs", efivarfs.DefaultVarFS, "efivarfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
			return nil, &fs.PathError{Op: "mount", Path: efivarfs.DefaultVarFS, Err: err}
		}
		if e, err = efivarfs.New(); err != nil {
			return nil, err
		}
	}
	return efiVariables{e}, nil
}

// efiVariables are u-root's, which knows which files are immutable.
type efiVariables struct{ fs efivarfs.EFIVar }

func (v efiVariables) Names() ([]string, error) {
	all, err := efivarfs.SimpleListVariables(v.fs)
	if err != nil {
		return nil, fmt.Errorf("list the firmware's variables: %w", err)
	}
	var names []string
	for _, name := range all {
		if name, ok := strings.CutSuffix(name, globalVendor); ok {
			names = append(names, name)
		}
	}
	return names, nil
}

func (v efiVariables) Read(name string) ([]byte, error) {
	_, data, err := efivarfs.SimpleReadVariable(v.fs, name+globalVendor)
	if errors.Is(err, efivarfs.ErrVarNotExist) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("read the firmware's variable %q: %w", name, err)
	}
	text := make([]byte, data.Len())
	_, err = data.Read(text)
	return text, err
}

func (v efiVariables) Write(name string, data []byte) error {
	const stays = efivarfs.AttributeNonVolatile | efivarfs.AttributeBootserviceAccess | efivarfs.AttributeRuntimeAccess
	if err := efivarfs.SimpleWriteVariable(v.fs, name+globalVendor, stays, bytes.NewBuffer(data)); err != nil {
		return fmt.Errorf("write the firmware's variable %q: %w", name, err)
	}
	return nil
}
