package main

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestOwnMemory(t *testing.T) {
	const status = "Name:\tbench\nVmRSS:\t    9000 kB\nRssAnon:\t    2048 kB\nRssFile:\t    5000 kB\nRssShmem:\t    1024 kB\n"
	if got := ownMemory(status); got != 3<<20 {
		t.Errorf("ownMemory = %d, want %d", got, 3<<20)
	}
	if got := ownMemory("Name:\tkthreadd\n"); got != 0 {
		t.Errorf("a thread of the kernel has %d bytes", got)
	}
}

// TestWatchMemory has a child, and its child, that both hold memory.
func TestWatchMemory(t *testing.T) {
	const each = 32 << 20
	if depth := os.Getenv("BENCH_DEPTH"); depth != "" {
		held := bytes.Repeat([]byte{1}, each)
		if depth == "2" {
			child := exec.Command("/proc/self/exe", "-test.run", "^TestWatchMemory$")
			child.Env = append(os.Environ(), "BENCH_DEPTH=1")
			if err := child.Run(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(20 * sampling)
		if held[0] != 1 {
			t.Fatal("the memory is gone")
		}
		return
	}
	c := exec.Command("/proc/self/exe", "-test.run", "^TestWatchMemory$")
	c.Env = append(os.Environ(), "BENCH_DEPTH=2")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	peak := watchMemory(c.Process.Pid, done)
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	close(done)
	if got := <-peak; got < 2*each || got > 8*each {
		t.Errorf("the peak of two processes with %d bytes each is %d", each, got)
	}
}
