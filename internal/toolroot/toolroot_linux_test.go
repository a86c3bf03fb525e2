package toolroot

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlan(t *testing.T) {
	const want = `mkdir -p -m 755 /t/meta
mkdir -p -m 755 /t/view
mount -t erofs -o ro /d/nix/store/00000000000000000000000000000002-tools/root.erofs /t/meta
mount -t overlay -o ro,lowerdir=/t/meta::/d/nix/store,metacopy=on,redirect_dir=follow overlay /t/view
mkdir -p -m 755 /t/root
mount -t tmpfs -o nosuid,mode=0755,size=16m tmpfs /t/root
ln -s usr/bin /t/root/bin
ln -s usr/sbin /t/root/sbin
ln -s usr/lib /t/root/lib
ln -s usr/lib64 /t/root/lib64
mkdir -p -m 755 /t/root/dev
mkdir -p -m 755 /t/root/proc
mkdir -p -m 755 /t/root/sys
mkdir -p -m 755 /t/root/usr
mkdir -p -m 755 /t/root/etc
mkdir -p -m 755 /t/root/run
mkdir -p -m 755 /t/root/tmp
mkdir -p -m 755 /t/root/root
mount --bind /t/view/usr /t/root/usr
mount --bind /t/view/etc /t/root/etc
mount --bind /dev /t/root/dev
mount --bind /proc /t/root/proc
mount --bind /sys /t/root/sys
`
	var got strings.Builder
	for _, s := range Plan("/d", "/nix/store/00000000000000000000000000000002-tools", "/t") {
		got.WriteString(s.String() + "\n")
	}
	if d := cmp.Diff(want, got.String()); d != "" {
		t.Error(d)
	}
}
