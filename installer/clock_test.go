package installer

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestRTCTimeIsUTC(t *testing.T) {
	berlin := time.FixedZone("CET", 3600)
	got := *rtcTime(time.Date(2027, 1, 1, 0, 30, 5, 0, berlin))
	if want := (unix.RTCTime{Sec: 5, Min: 30, Hour: 23, Mday: 31, Mon: 11, Year: 126}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
