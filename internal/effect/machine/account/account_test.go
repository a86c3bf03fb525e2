package account

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"reprise/internal/effect/machine/maint"
)

const (
	passwdMaster = "root:*:0:0:root:/root:/bin/bash\ngames:*:5:60:games:/usr/games:/usr/sbin/nologin\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
	groupMaster  = "root:*:0:\naudio:*:29:\nshadow:*:42:\ngames:*:60:\nnogroup:*:65534:\n"
)

func id(n uint32) *uint32 { return &n }

// wanted reads sysusers.d text and postinst text.
func wanted(t *testing.T, sysusers, postinst string) []Want {
	t.Helper()
	wants, err := ParseSysusers("test.conf", []byte(sysusers))
	if err != nil {
		t.Fatal(err)
	}
	calls, err := maint.Calls("postinst", []byte("#!/bin/sh\n"+postinst), maint.World{Args: []string{"configure", ""}})
	if err != nil {
		t.Fatal(err)
	}
	more, err := FromCalls("test", calls)
	if err != nil {
		t.Fatal(err)
	}
	return append(wants, more...)
}

func TestResolve(t *testing.T) {
	for _, test := range []struct {
		name, sysusers, postinst string
		more                     []Want
		passwd, group            string // what comes after the masters
	}{
		{name: "sysusers user with its group", sysusers: `u! messagebus - "System Message Bus" /nonexistent`,
			passwd: "messagebus:x:101:101:System Message Bus:/nonexistent:/usr/sbin/nologin\n", group: "messagebus:x:101:\n"},
		{name: "sysusers user in nogroup", sysusers: `u sshd -:nogroup "sshd user" /run/sshd`,
			passwd: "sshd:x:118:65534:sshd user:/run/sshd:/usr/sbin/nologin\n"},
		{name: "base accounts stay", sysusers: "u games 5:60 - /usr/games\ng games 60\ng audio 29\n"},
		{name: "adduser without a group", postinst: `adduser --system --gecos "DHCP Client Daemon" --home /usr/lib/dhcpcd --no-create-home --shell /bin/false dhcpcd`,
			passwd: "dhcpcd:x:120:65534:DHCP Client Daemon:/usr/lib/dhcpcd:/bin/false\n"},
		{name: "adduser with a group", postinst: `adduser --disabled-password --quiet --system --home /proc --gecos "RealtimeKit" --group rtkit`,
			passwd: "rtkit:x:122:122:RealtimeKit:/proc:/usr/sbin/nologin\n", group: "rtkit:x:122:\n"},
		{name: "addgroup and groupadd", postinst: "addgroup --system --quiet --force-badname _ssh\ngroupadd -r bluetooth\ngroupadd -g 42 shadow", group: "_ssh:x:119:\nbluetooth:x:124:\n"},
		{name: "useradd", postinst: `useradd -r -M -d /var/lib/x -s /usr/sbin/nologin -c "The X" -G audio lightdm`,
			passwd: "lightdm:x:123:123:The X:/var/lib/x:/usr/sbin/nologin\n", group: "lightdm:x:123:\n"},
		{name: "membership", postinst: "adduser games audio; usermod -aG shadow games"},
		{name: "an account that nobody knows", sysusers: "u zz-unheard-of - - -",
			passwd: "zz-unheard-of:x:741:741::/:/usr/sbin/nologin\n", group: "zz-unheard-of:x:741:\n"},
		{name: "both ask, sysusers is heard first", sysusers: `u polkitd - "User for polkitd"`, postinst: "adduser --group --system --gecos polkit --home /nonexistent polkitd",
			passwd: "polkitd:x:121:121:User for polkitd:/:/usr/sbin/nologin\n", group: "polkitd:x:121:\n"},
		{name: "a person", more: []Want{
			{From: Configuration, Kind: WantUser, Name: "rig", ID: id(1000), Gecos: "The rig", Home: "/home/rig", Shell: "/bin/bash"},
			{From: Configuration, Kind: WantMember, Name: "rig", Group: "audio"},
			{From: Configuration, Kind: WantUser, Name: "root", ID: id(0), Shell: "/bin/sh"}},
			passwd: "rig:x:1000:1000:The rig:/home/rig:/bin/bash\n", group: "rig:x:1000:\n"},
	} {
		d, err := Resolve([]byte(passwdMaster), []byte(groupMaster), append(wanted(t, test.sysusers, test.postinst), test.more...))
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		_, passwd, _ := strings.Cut(d.Passwd(), "nobody:/nonexistent:/usr/sbin/nologin\n")
		_, group, _ := strings.Cut(d.Group(), "65534:\n")
		if diff := cmp.Diff([]string{test.passwd, test.group}, []string{passwd, group}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		switch test.name {
		case "membership":
			if !strings.Contains(d.Group(), "audio:x:29:games\nshadow:x:42:games\n") {
				t.Errorf("%s: group is\n%s", test.name, d.Group())
			}
		case "a person":
			if got, want := d.SubIDs(), "rig:100000:65536\n"; got != want {
				t.Errorf("SubIDs = %q, want %q", got, want)
			}
			if !strings.HasPrefix(d.Passwd(), "root:x:0:0:root:/root:/bin/sh\n") || !strings.Contains(d.Group(), "audio:x:29:rig\n") {
				t.Errorf("%s:\n%s%s", test.name, d.Passwd(), d.Group())
			}
		}
	}
}

// An id must not move when other packages come or go.
func TestIDsDoNotDependOnTheSet(t *testing.T) {
	alone, err := Resolve([]byte(passwdMaster), []byte(groupMaster), wanted(t, "u zz-unheard-of -\nu rtkit -", ""))
	if err != nil {
		t.Fatal(err)
	}
	company, err := Resolve([]byte(passwdMaster), []byte(groupMaster), wanted(t, "u aa -\nu bb -\ng cc -\nu zz-unheard-of -\nu messagebus -\nu rtkit -\ng render -", ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"zz-unheard-of", "rtkit"} {
		a, _ := alone.UserID(name)
		b, _ := company.UserID(name)
		if a != b {
			t.Errorf("%s has id %d alone and %d in company", name, a, b)
		}
	}
}

// Two names that derive one id both get one, and the first keeps its own.
func TestDerivedCollision(t *testing.T) {
	first := "collide0"
	second := ""
	for i := 1; second == ""; i++ {
		name := "collide" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i/26%20)
		if name > first && derived(name) == derived(first) {
			second = name
		}
	}
	d, err := Resolve([]byte(passwdMaster), []byte(groupMaster), []Want{{Kind: WantUser, Name: second}, {Kind: WantUser, Name: first}})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := d.UserID(first)
	b, _ := d.UserID(second)
	if a != derived(first) || a == b {
		t.Errorf("%q has %d (derived %d), %q has %d", first, a, derived(first), second, b)
	}
}

func TestResolveRefuses(t *testing.T) {
	for name, wants := range map[string][]Want{
		"two ids for one":       {{Kind: WantGroup, Name: "x", ID: id(300)}, {Kind: WantGroup, Name: "x", ID: id(301)}},
		"one id for two":        {{Kind: WantGroup, Name: "x", ID: id(300)}, {Kind: WantGroup, Name: "y", ID: id(300)}},
		"the id of a base user": {{Kind: WantUser, Name: "x", ID: id(5)}},
		"bad name":              {{Kind: WantUser, Name: "a b"}},
		"line break":            {{Kind: WantUser, Name: "a", Gecos: "x\nroot2::0:0::/:/bin/sh"}},
		"colon":                 {{Kind: WantUser, Name: "a", Home: "/a:b"}},
		"no such group":         {{Kind: WantUser, Name: "a", Group: "none"}},
		"person in no group":    {{Kind: WantMember, From: Configuration, Name: "root", Group: "wheel"}},
	} {
		if d, err := Resolve([]byte(passwdMaster), []byte(groupMaster), wants); err == nil {
			t.Errorf("%s: no error, got\n%s%s", name, d.Passwd(), d.Group())
		}
	}
	for _, master := range []string{"", "root:*:0:0\n", "root:*:x:0:root:/root:/bin/sh\n"} {
		if _, err := Resolve([]byte(master), []byte(groupMaster), nil); err == nil {
			t.Errorf("Resolve with master %q: no error", master)
		}
	}
}

func TestRegistry(t *testing.T) {
	ids, err := registry()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"messagebus", "sshd", "_ssh", "dhcpcd", "rtkit", "lightdm", "polkitd", "bluetooth", "netdev", "pipewire", "systemd-network", "systemd-resolve", "systemd-timesync"} {
		if ids[name] == 0 {
			t.Errorf("%q is not in the registry", name)
		}
	}
}

func FuzzParseSysusers(f *testing.F) {
	f.Add("u! x -:y \"A B\" /h /s\ng a 3 -\nm a b\nr - 1-2\n# c\n")
	f.Fuzz(func(t *testing.T, s string) {
		wants, err := ParseSysusers("x", []byte(s))
		if err != nil {
			return
		}
		d, err := Resolve([]byte(passwdMaster), []byte(groupMaster), wants)
		if err != nil {
			return
		}
		for line := range strings.Lines(d.Passwd()) {
			if strings.Count(line, ":") != 6 {
				t.Errorf("sysusers %q made the line %q", s, line)
			}
		}
	})
}
