package rootmount

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func lines(steps []Step) string {
	var b strings.Builder
	for _, s := range steps {
		b.WriteString(s.String() + "\n")
	}
	return b.String()
}

const system = "/nix/store/00000000000000000000000000000002-system-rig"

func TestView(t *testing.T) {
	const want = `mkdir -p -m 755 /m
mkdir -p -m 755 /r
mount -t erofs -o ro /d/nix/store/00000000000000000000000000000002-system-rig/root.erofs /m
mount -t overlay -o ro,lowerdir=/m::/d/nix/store,metacopy=on,redirect_dir=follow overlay /r
`
	if d := cmp.Diff(want, lines(View("/d", system, "/m", "/r"))); d != "" {
		t.Error(d)
	}
}

func TestTree(t *testing.T) {
	const want = `mkdir -p -m 755 /sysroot
mount -t tmpfs -o nosuid,nodev,mode=0755,size=1m tmpfs /sysroot
mkdir -p -m 700 /sysroot/.reprise
ln -s usr/bin /sysroot/bin
ln -s usr/sbin /sysroot/sbin
ln -s usr/lib /sysroot/lib
ln -s usr/lib64 /sysroot/lib64
ln -s usr/lib/reprise/boot /sysroot/boot
mkdir -p -m 755 /sysroot/dev
mkdir -p -m 755 /sysroot/proc
mkdir -p -m 755 /sysroot/sys
mkdir -p -m 755 /sysroot/run
mkdir -p -m 755 /sysroot/tmp
mkdir -p -m 755 /sysroot/efi
mkdir -p -m 755 /sysroot/mnt
mkdir -p -m 755 /sysroot/media
mkdir -p -m 755 /sysroot/opt
mkdir -p -m 755 /sysroot/data/takes
mkdir -p -m 755 /sysroot/mnt/samples
mkdir -p -m 755 /sysroot/usr
mount --bind /.reprise/root/usr /sysroot/usr
mkdir -p -m 755 /sysroot/etc
mount --bind /.reprise/root/etc /sysroot/etc
mkdir -p -m 755 /.reprise/disk/nix
mkdir -p -m 755 /sysroot/nix
mount --bind /.reprise/disk/nix /sysroot/nix
mkdir -p -m 755 /.reprise/disk/var
mkdir -p -m 755 /sysroot/var
mount --bind /.reprise/disk/var /sysroot/var
mkdir -p -m 755 /.reprise/disk/home
mkdir -p -m 755 /sysroot/home
mount --bind /.reprise/disk/home /sysroot/home
mkdir -p -m 700 /.reprise/disk/root
mkdir -p -m 700 /sysroot/root
mount --bind /.reprise/disk/root /sysroot/root
mkdir -p -m 755 /.reprise/disk/srv
mkdir -p -m 755 /sysroot/srv
mount --bind /.reprise/disk/srv /sysroot/srv
mount --bind /.reprise/disk/nix/store /sysroot/nix/store
mount -o remount,bind,ro,nosuid,nodev /sysroot/nix/store
mount -t tmpfs -o nosuid,nodev,noexec,mode=0755,size=1m tmpfs /sysroot/media
mount -t tmpfs -o nosuid,nodev,mode=1777,size=50% tmpfs /sysroot/tmp
mkdir -p -m 755 /sysroot/.reprise/disk
mount --move /.reprise/disk /sysroot/.reprise/disk
mkdir -p -m 755 /sysroot/.reprise/meta
mount --move /.reprise/meta /sysroot/.reprise/meta
mkdir -p -m 755 /sysroot/.reprise/root
mount --move /.reprise/root /sysroot/.reprise/root
mount -o remount,ro /sysroot
`
	request := Request{Target: "/sysroot", View: Facts{MountPoints: []string{"/home/rig/x", "/mnt/samples", "/data/takes", "/efi", "/", "/../data/takes"}}}
	if d := cmp.Diff(want, lines(Tree(request))); d != "" {
		t.Error(d)
	}
}

// A soft-reboot leaves the running machine's mounts where they are.
func TestTreeKeep(t *testing.T) {
	got := lines(Tree(Request{Target: "/run/nextroot", Keep: true, View: Facts{Opt: true, TmpUnit: true}}))
	for _, want := range []string{
		"mount --bind /.reprise/disk /run/nextroot/.reprise/disk\n",
		"ln -s usr/lib/reprise/opt /run/nextroot/opt\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing", want)
		}
	}
	for _, bad := range []string{"--move", "/run/nextroot/tmp\nmount", "mode=1777", "mkdir -p -m 755 /run/nextroot/opt"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q is there", bad)
		}
	}
}

// The medium that a live system was started from stays where it is mounted.
func TestTreeMedium(t *testing.T) {
	const want = "mount --move /.reprise/medium /sysroot/.reprise/medium\n"
	for medium, times := range map[bool]int{false: 0, true: 1} {
		if got := lines(Tree(Request{Target: "/sysroot", Medium: medium})); strings.Count(got, want) != times {
			t.Errorf("medium %v: want %q %d times:\n%s", medium, want, times, got)
		}
	}
}

// A session's /etc can be written to, but not at /etc.
func TestTreeSession(t *testing.T) {
	const bound = "mount --bind /.reprise/root/etc /sysroot/etc\n"
	const want = `mkdir -p -m 755 /sysroot/etc
mkdir -p -m 755 /.reprise/disk/etc/upper
mkdir -p -m 755 /.reprise/disk/etc/work
mkdir -p -m 755 /sysroot/.reprise/etc
mount -t overlay -o lowerdir=/.reprise/meta/etc::/.reprise/disk/nix/store,upperdir=/.reprise/disk/etc/upper,workdir=/.reprise/disk/etc/work,metacopy=on,redirect_dir=on overlay /sysroot/.reprise/etc
mount --bind /sysroot/.reprise/etc /sysroot/etc
mount -o remount,bind,ro /sysroot/etc
`
	got := lines(Tree(Request{Target: "/sysroot", Medium: true, Session: true}))
	if !strings.Contains(got, want) || strings.Contains(got, bound) {
		t.Errorf("want\n%sin\n%s", want, got)
	}
	if got := lines(Tree(Request{Target: "/sysroot", Medium: true})); strings.Contains(got, "upperdir") || !strings.Contains(got, bound) {
		t.Errorf("without a session:\n%s", got)
	}
}

func TestExamine(t *testing.T) {
	got, err := Examine(fstest.MapFS{
		"etc/fstab":             {Data: []byte("# a comment\nPARTLABEL=ESP /efi vfat umask=0077,nofail 0 2\n  LABEL=a\\040b /mnt/my\\040takes ext4\nLABEL=swap none swap\n#x /y\n/z\n")},
		"usr/lib/reprise/opt/x": {},
		"usr/lib/systemd/system/local-fs.target.wants/tmp.mount": {Data: []byte("../tmp.mount"), Mode: fs.ModeSymlink},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Facts{Opt: true, TmpUnit: true, MountPoints: []string{"/efi", "/mnt/my takes"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if got, err = Examine(fstest.MapFS{}); err != nil || !cmp.Equal(got, Facts{}) {
		t.Errorf("empty view: %v, %v", got, err)
	}
}

// Whatever an fstab says, nothing is made outside of the target.
func FuzzMountPoints(f *testing.F) {
	f.Add("LABEL=x /data ext4\n")
	f.Add("a /../../etc\nb //x/./..\n")
	f.Fuzz(func(t *testing.T, fstab string) {
		for _, s := range Tree(Request{Target: "/sysroot", View: Facts{MountPoints: mountPoints(fstab)}}) {
			if s.Target != "/sysroot" && !strings.HasPrefix(s.Target, "/sysroot/") && !strings.HasPrefix(s.Target, Disk+"/") {
				t.Errorf("%s", s)
			}
		}
	})
}
